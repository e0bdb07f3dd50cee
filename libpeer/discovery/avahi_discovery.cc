#include "libpeer/discovery/avahi_discovery.h"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/discovery/avahi_thread.h"
#include "libpeer/runtime/sleep.h"

namespace peer::discovery {

using namespace std::chrono_literals;

namespace {
/// How long the thread may take to stop by itself, and how long after its sockets were shut down.
constexpr runtime::Duration kStopWait = 100ms;
constexpr runtime::Duration kInterruptWait = 100ms;
constexpr int kLoopback = 1;
constexpr std::size_t kMaxPublished = 30;  ///< avahi-daemon allows 32 entries a group

/// Lets avahi-daemon choose the interfaces, unless it might use one that the configuration excludes.
DiscoveryInterfaces choose(const InterfaceFilter& configured) {
  DiscoveryInterfaces result;
  auto all = net::interface_addresses();
  if (!all) return result;
  const InterfaceFilter filter = configured.resolved(*all);
  std::set<int> used;
  bool others = false;
  for (const net::InterfaceAddress& each : *all) {
    if (!each.up || each.name == "lo") continue;
    if (filter.accepts(each.name)) {
      used.insert(static_cast<int>(each.index));
    } else {
      others = true;
    }
  }
  if (others || !filter.only.empty()) {
    result.publish.assign(used.begin(), used.end());
    if (result.publish.size() > kMaxPublished) result.publish.resize(kMaxPublished);
    if (used.empty()) result.publish.push_back(kLoopback);  // reaches no other machine
  }
  result.usable = filter.usable(std::move(*all));
  return result;
}
}  // namespace

AvahiDiscovery::AvahiDiscovery(runtime::Executor& control, InterfaceFilter interfaces, Log log)
    : control_(control), interfaces_(std::move(interfaces)), log_(std::move(log)) {}

AvahiDiscovery::~AvahiDiscovery() { PEER_CHECK(!thread_); }

void AvahiDiscovery::set_revision(std::uint64_t revision) {
  if (thread_) thread_->set_revision(revision);
}

void AvahiDiscovery::prefer(const PeerId& id) {
  if (thread_) thread_->prefer(id);
}

void AvahiDiscovery::resolve_again(const PeerId& id) {
  if (thread_) thread_->resolve_again(id);
}

void AvahiDiscovery::network_changed() {
  if (thread_) thread_->set_interfaces(choose(interfaces_));
}

runtime::Task<void> AvahiDiscovery::run(Record self, std::uint16_t port, std::function<void(Event)> report,
                                        runtime::CancellationToken token) {
  PEER_CHECK(!thread_);
  if (!abandoned_.expired()) {
    report(Unavailable{"an earlier call to avahi-daemon still hangs: restart avahi-daemon"});
    while (!abandoned_.expired()) co_await runtime::sleep_for(control_, 1s, token);
  }
  thread_ = std::make_shared<AvahiThread>(control_, std::move(self), port, choose(interfaces_));
  thread_->start();
  std::exception_ptr end;
  try {
    co_await serve(*thread_, report, token);
  } catch (...) {
    end = std::current_exception();
  }
  co_await stop(*thread_);
  thread_.reset();
  std::rethrow_exception(end);
}

/// Fails: throws if the thread ends by itself, which is a bug.
runtime::Task<void> AvahiDiscovery::serve(AvahiThread& thread, const std::function<void(Event)>& report,
                                          runtime::CancellationToken token) {
  const std::shared_ptr<Outbox> outbox = thread.outbox;
  while (!outbox->ended()) {
    co_await outbox->wait(token);
    for (Event& event : outbox->pop_events()) report(std::move(event));
  }
  throw std::runtime_error("the Avahi thread ended: " + outbox->error());
}

runtime::Task<void> AvahiDiscovery::stop(AvahiThread& thread) {
  const std::shared_ptr<Outbox> outbox = thread.outbox;
  const runtime::CancellationToken never;
  auto ended = [outbox](runtime::CancellationToken t) { return outbox->wait_end(std::move(t)); };
  thread.request_stop();
  if (!co_await runtime::with_timeout(control_, kStopWait, ended, never)) {
    thread.interrupt();
    if (!co_await runtime::with_timeout(control_, kInterruptWait, ended, never)) {
      log_.warn("abandoned the Avahi thread: a call to avahi-daemon hangs");
      abandoned_ = thread.weak_from_this();
      thread.abandon();
      co_return;
    }
  }
  thread.join();
}

}  // namespace peer::discovery
