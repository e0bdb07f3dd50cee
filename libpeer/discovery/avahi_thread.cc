#include "libpeer/discovery/avahi_thread.h"

#include <pthread.h>

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

#include "libpeer/base/random.h"
#include "libpeer/discovery/avahi_session.h"
#include "libpeer/runtime/sleep.h"

namespace peer::discovery {

using namespace std::chrono_literals;

namespace {
constexpr runtime::Duration kFirstDelay = 250ms;
constexpr runtime::Duration kLongestDelay = 2s;
}  // namespace

AvahiThread::AvahiThread(runtime::Executor& control, Record self, std::uint16_t port, DiscoveryInterfaces interfaces)
    : outbox(std::make_shared<Outbox>(control)),
      table_(self.id, [this](const PeerId& id, const std::optional<Found>& found) { outbox->put(id, found); }) {
  publication_.service = service_name(self.name);
  publication_.record = std::move(self);
  publication_.port = port;
  publication_.interfaces = std::move(interfaces.publish);
  publication_.usable = std::move(interfaces.usable);
}

void AvahiThread::start() {
  thread_ = std::thread([self = shared_from_this()] { self->run(); });
  pthread_setname_np(thread_.native_handle(), "avahi");
}

void AvahiThread::request_stop() {
  stopping_ = true;
  executor_.post([self = shared_from_this()] { self->stop_.request(); });
}

void AvahiThread::abandon() {
  outbox->close();
  thread_.detach();
}

void AvahiThread::set_revision(std::uint64_t revision) {
  executor_.post([self = shared_from_this(), revision] {
    self->publication_.record.revision = revision;
    self->publication_.changed.set();
  });
}

void AvahiThread::prefer(const PeerId& id) {
  executor_.post([self = shared_from_this(), id] { self->table_.prefer(id); });
}

void AvahiThread::resolve_again(const PeerId& id) {
  executor_.post([self = shared_from_this(), id] {
    self->table_.resolve_again(id);
    self->publication_.changed.set();
  });
}

void AvahiThread::set_interfaces(DiscoveryInterfaces interfaces) {
  executor_.post([self = shared_from_this(), interfaces = std::move(interfaces)]() mutable {
    AvahiPublication& publication = self->publication_;
    if (publication.interfaces != interfaces.publish) {
      publication.interfaces = std::move(interfaces.publish);
      ++publication.placement;
    }
    if (publication.usable != interfaces.usable) {
      publication.usable = std::move(interfaces.usable);
      self->table_.resolve_all();  // other addresses may be usable now
    }
    publication.changed.set();
  });
}

void AvahiThread::run() noexcept {
  std::string error;
  try {
    executor_.run(main());
  } catch (const std::exception& e) {
    error = e.what();
  }
  outbox->end(std::move(error));
}

runtime::Task<void> AvahiThread::main() {
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

runtime::Task<void> AvahiThread::keep_sessions(runtime::CancellationToken token) {
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

}  // namespace peer::discovery
