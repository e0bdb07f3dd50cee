// AvahiSession: one connection to avahi-daemon, from the first attempt until it fails: publishes, browses and resolves.
//
// Calls into avahi-daemon block on D-Bus, for up to 25 s if the daemon hangs. Avahi's callbacks only note what
// happened; run() makes the calls and can be stopped between them. Loop: the Avahi thread's.
#pragma once

#include <avahi-client/client.h>

#include <atomic>
#include <string>

#include "libpeer/discovery/avahi_browser.h"
#include "libpeer/discovery/avahi_connection.h"
#include "libpeer/discovery/avahi_publisher.h"
#include "libpeer/discovery/avahi_resolver.h"
#include "libpeer/discovery/avahi_text_watcher.h"
#include "libpeer/discovery/outbox.h"
#include "libpeer/discovery/poll_adapter.h"

namespace peer::discovery {

class AvahiSession {
 public:
  AvahiSession(runtime::Executor& executor, PollAdapter& poll, AvahiPublication& publication, RecordTable& table,
               Outbox& outbox, const std::atomic<bool>& stopping);
  ~AvahiSession();
  AvahiSession(const AvahiSession&) = delete;

  /// Returns why it failed. Cancel: throws Cancelled, after the current call.
  runtime::Task<std::string> run(runtime::CancellationToken token);
  /// Whether it ever worked.
  bool worked() const noexcept { return worked_; }

 private:
  static void on_client(AvahiClient* client, AvahiClientState state, void* self) noexcept;
  void connect();
  void step();
  runtime::Task<void> wait(runtime::CancellationToken token);

  PollAdapter& poll_;
  Outbox& outbox_;
  AvahiConnection avahi_;
  AvahiClientState state_ = AVAHI_CLIENT_CONNECTING;
  AvahiPublisher publisher_{avahi_};
  AvahiBrowser browser_{avahi_};
  AvahiTextWatcher texts_{avahi_};
  AvahiResolver resolver_;
  bool worked_ = false;
};

}  // namespace peer::discovery
