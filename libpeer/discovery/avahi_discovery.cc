#include "libpeer/discovery/avahi_discovery.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/base/random.h"
#include "libpeer/discovery/avahi_session.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/runtime/uv_executor.h"

namespace peer::discovery {

using namespace std::chrono_literals;

namespace {
constexpr runtime::Duration kFirstDelay = 250ms;
constexpr runtime::Duration kLongestDelay = 2s;
/// How long a thread has to stop by itself, and then after its sockets were shut down.
constexpr runtime::Duration kPolite = 100ms;
constexpr runtime::Duration kForced = 100ms;
constexpr int kLoopback = 1;
constexpr std::size_t kMaxPublished = 30;  ///< avahi-daemon allows 32 entries a group

struct Interfaces {
  std::vector<int> publish;  ///< empty: all
  std::vector<net::InterfaceAddress> usable;
};

/// Left to avahi-daemon unless there is one that it might use and we do not.
Interfaces choose(const InterfaceFilter& configured) {
  Interfaces result;
  auto all = net::interface_addresses();
  if (!all) return result;
  const InterfaceFilter filter = configured.resolved(*all);
  std::set<int> used;
  bool others = false;
  for (const net::InterfaceAddress& each : *all) {
    if (!each.up || each.name == "lo") continue;
    if (filter.wants(each.name)) {
      used.insert(static_cast<int>(each.index));
    } else {
      others = true;
    }
  }
  if (others || !filter.only.empty()) {
    result.publish.assign(used.begin(), used.end());
    if (result.publish.size() > kMaxPublished) result.publish.resize(kMaxPublished);
    if (used.empty()) result.publish.push_back(kLoopback);  // nobody is told
  }
  result.usable = filter.usable(std::move(*all));
  return result;
}
}  // namespace

/// Shared by the thread and whoever runs it; either may go first.
class AvahiDiscovery::Thread : public std::enable_shared_from_this<Thread> {
 public:
  Thread(runtime::Executor& control, Record self, std::uint16_t port, Interfaces interfaces)
      : outbox(std::make_shared<Outbox>(control)),
        table_(self.id, [this](const PeerId& id, const std::optional<Found>& found) { outbox->put(id, found); }) {
    publication_.service = service_name(self.name);
    publication_.record = std::move(self);
    publication_.port = port;
    publication_.interfaces = std::move(interfaces.publish);
    publication_.usable = std::move(interfaces.usable);
  }

  void start() {
    thread_ = std::thread([self = shared_from_this()] { self->live(); });
    pthread_setname_np(thread_.native_handle(), "avahi");
  }
  void request_stop() {
    stopping_ = true;
    executor_.post([self = shared_from_this()] { self->stop_.request(); });
  }
  void interrupt() noexcept { poll_.interrupt(); }
  /// After its end.
  void join() { thread_.join(); }
  void abandon() {
    outbox->close();
    thread_.detach();
  }

  void set_revision(std::uint64_t revision) {
    executor_.post([self = shared_from_this(), revision] {
      self->publication_.record.revision = revision;
      self->publication_.changed.set();
    });
  }
  void prefer(const PeerId& id) {
    executor_.post([self = shared_from_this(), id] { self->table_.prefer(id); });
  }
  void look_again(const PeerId& id) {
    executor_.post([self = shared_from_this(), id] {
      self->table_.look_again(id);
      self->publication_.changed.set();
    });
  }
  void set_interfaces(Interfaces interfaces) {
    executor_.post([self = shared_from_this(), interfaces = std::move(interfaces)]() mutable {
      Publication& publication = self->publication_;
      if (publication.interfaces != interfaces.publish) {
        publication.interfaces = std::move(interfaces.publish);
        ++publication.placed;
      }
      if (publication.usable != interfaces.usable) {
        publication.usable = std::move(interfaces.usable);
        self->table_.resolve_all();  // what is acceptable is decided anew
      }
      publication.changed.set();
    });
  }

  const std::shared_ptr<Outbox> outbox;

 private:
  void live() noexcept {
    std::string error;
    try {
      executor_.run(main());
    } catch (const std::exception& e) {
      error = e.what();
    }
    outbox->end(std::move(error));
  }

  runtime::Task<void> main() {
    std::exception_ptr failure;
    try {
      co_await keep_sessions(stop_.token());
    } catch (const runtime::Cancelled&) {
    } catch (...) {
      failure = std::current_exception();
    }
    co_await poll_.closed();
    if (failure) std::rethrow_exception(failure);
  }

  runtime::Task<void> keep_sessions(runtime::CancellationToken token) {
    const std::unique_ptr<Random> random = system_random();
    runtime::Duration delay = kFirstDelay;
    for (;;) {
      token.throw_if_requested();
      {
        AvahiSession session(executor_, poll_, publication_, table_, *outbox, stopping_);
        const std::string reason = co_await session.run(token);
        if (session.worked()) delay = kFirstDelay;
        outbox->set_state(reason);
      }
      table_.clear();
      const auto spread = static_cast<std::int64_t>(random->below(static_cast<std::uint64_t>(delay.count() / 2)));
      co_await runtime::sleep_for(executor_, delay / 2 + runtime::Duration(spread), token);
      delay = std::min(delay * 2, kLongestDelay);
    }
  }

  runtime::UvExecutor executor_;
  PollAdapter poll_{executor_.loop()};
  runtime::CancellationSource stop_;
  std::atomic<bool> stopping_ = false;
  Publication publication_;
  RecordTable table_;
  std::thread thread_;
};

AvahiDiscovery::AvahiDiscovery(runtime::Executor& control, InterfaceFilter interfaces, Log log)
    : control_(control), interfaces_(std::move(interfaces)), log_(std::move(log)) {}

AvahiDiscovery::~AvahiDiscovery() { PEER_CHECK(!thread_); }

void AvahiDiscovery::set_revision(std::uint64_t revision) {
  if (thread_) thread_->set_revision(revision);
}

void AvahiDiscovery::prefer(const PeerId& id) {
  if (thread_) thread_->prefer(id);
}

void AvahiDiscovery::look_again(const PeerId& id) {
  if (thread_) thread_->look_again(id);
}

void AvahiDiscovery::network_changed() {
  if (thread_) thread_->set_interfaces(choose(interfaces_));
}

runtime::Task<void> AvahiDiscovery::run(Record self, std::uint16_t port, std::function<void(Event)> tell,
                                        runtime::CancellationToken token) {
  PEER_CHECK(!thread_);
  if (!abandoned_.expired()) {
    tell(Unavailable{"an earlier call to avahi-daemon still hangs"});
    while (!abandoned_.expired()) co_await runtime::sleep_for(control_, 1s, token);
  }
  thread_ = std::make_shared<Thread>(control_, std::move(self), port, choose(interfaces_));
  thread_->start();
  std::exception_ptr end;
  try {
    co_await serve(*thread_, tell, token);
  } catch (...) {
    end = std::current_exception();
  }
  co_await stop(*thread_);
  thread_.reset();
  std::rethrow_exception(end);
}

/// Fails: when the thread has ended by itself, which is a bug's doing.
runtime::Task<void> AvahiDiscovery::serve(Thread& thread, const std::function<void(Event)>& tell,
                                          runtime::CancellationToken token) {
  const std::shared_ptr<Outbox> outbox = thread.outbox;
  while (!outbox->ended()) {
    co_await outbox->wait(token);
    for (Event& event : outbox->take()) tell(std::move(event));
  }
  throw std::runtime_error("the Avahi thread ended: " + outbox->error());
}

runtime::Task<void> AvahiDiscovery::stop(Thread& thread) {
  const std::shared_ptr<Outbox> outbox = thread.outbox;
  const runtime::CancellationToken never;
  auto ended = [outbox](runtime::CancellationToken t) { return outbox->wait_end(std::move(t)); };
  thread.request_stop();
  if (!co_await runtime::with_timeout(control_, kPolite, ended, never)) {
    thread.interrupt();
    if (!co_await runtime::with_timeout(control_, kForced, ended, never)) {
      log_.warn("a call to avahi-daemon hangs and is abandoned");
      abandoned_ = thread.weak_from_this();
      thread.abandon();
      co_return;
    }
  }
  thread.join();
}

}  // namespace peer::discovery
