#include "libpeer/discovery/avahi_session.h"

#include <avahi-common/error.h>

#include <algorithm>
#include <initializer_list>
#include <optional>

#include "libpeer/runtime/sleep.h"

namespace peer::discovery {

using namespace std::chrono_literals;

void AvahiConnection::fail_with(const std::string& what) {
  if (!failure.empty()) return;
  const int error = client == nullptr ? AVAHI_ERR_FAILURE : avahi_client_errno(client);
  failure = what + ": " + avahi_strerror(error);
}

AvahiSession::AvahiSession(runtime::Executor& executor, PollAdapter& poll, AvahiPublication& publication,
                           RecordTable& table, Outbox& outbox, const std::atomic<bool>& stopping)
    : poll_(poll),
      outbox_(outbox),
      avahi_{executor, publication, table, stopping, nullptr, {}},
      resolver_(avahi_, [this](const std::string& name, const Record& record) { texts_.add(name, record); }) {}

/// Freeing the client closes the connection first, so that nothing blocks. avahi-daemon withdraws the service and frees
/// the other objects.
AvahiSession::~AvahiSession() {
  if (avahi_.client != nullptr) avahi_client_free(avahi_.client);
}

runtime::Task<std::string> AvahiSession::run(runtime::CancellationToken token) {
  connect();
  while (!avahi_.is_over()) {
    avahi_.publication.changed.reset();
    step();
    if (!avahi_.is_over()) co_await wait(token);
  }
  token.throw_if_requested();
  co_return avahi_.failure;
}

/// Waits until something changed, or the next action is due.
runtime::Task<void> AvahiSession::wait(runtime::CancellationToken token) {
  const runtime::TimePoint now = avahi_.executor.now();
  runtime::TimePoint until = now + 1h;
  if (state_ == AVAHI_CLIENT_S_RUNNING) {
    for (const std::optional<runtime::TimePoint>& due :
         {resolver_.next_turn(now), publisher_.next_update(), browser_.next_browse(), texts_.next_report()}) {
      if (due) until = std::min(until, *due);
    }
  }
  runtime::Deadline deadline(avahi_.executor, std::max<runtime::Duration>(until - now, 0ms), token);
  try {
    co_await avahi_.publication.changed.wait(deadline.token());
  } catch (const runtime::Cancelled&) {
    token.throw_if_requested();
  }
}

void AvahiSession::step() {
  if (state_ == AVAHI_CLIENT_FAILURE) return avahi_.fail_with("the connection to avahi-daemon was lost");
  if (state_ == AVAHI_CLIENT_CONNECTING) {
    outbox_.set_state("avahi-daemon is not running: install and start it (apt install avahi-daemon)");
    return;
  }
  // In the other states, avahi-daemon registers a name for this host, perhaps a new one.
  if (state_ != AVAHI_CLIENT_S_RUNNING) return publisher_.withdraw();
  if (!browser_.started()) browser_.start();
  if (!avahi_.is_over() && publisher_.must_publish()) publisher_.publish();
  if (!avahi_.is_over()) publisher_.update_text();
  if (!avahi_.is_over()) resolver_.finish();
  if (!avahi_.is_over()) resolver_.start();
  if (!avahi_.is_over()) browser_.browse_again_if_due();
  if (!avahi_.is_over()) texts_.update();
  if (avahi_.is_over()) return;
  worked_ = true;
  outbox_.set_state(std::nullopt);
}

void AvahiSession::connect() {
  int error = 0;
  avahi_.client = avahi_client_new(poll_.api(), AVAHI_CLIENT_NO_FAIL, on_client, this, &error);
  if (avahi_.client != nullptr) {
    state_ = avahi_client_get_state(avahi_.client);
    return;
  }
  avahi_.failure = std::string("cannot reach avahi-daemon over D-Bus (") + avahi_strerror(error) +
                   "): dbus and avahi-daemon must run";
}

void AvahiSession::on_client(AvahiClient*, AvahiClientState state, void* self) noexcept {
  auto& session = *static_cast<AvahiSession*>(self);
  session.state_ = state;
  session.avahi_.publication.changed.set();
}

}  // namespace peer::discovery
