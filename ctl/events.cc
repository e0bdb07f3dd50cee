// events: prints events until it is interrupted.
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "ctl/invocation.h"
#include "ctl/text/format.h"

namespace peer::ctl {
namespace {

using std::chrono::milliseconds;

/// Prints events, and reconnects when the daemon restarts.
class EventStream {
 public:
  explicit EventStream(Invocation& invocation) : invocation_(invocation), since_(invocation.arguments.events.since) {}

  int run() {
    if (auto begun = begin(); !begun) return end_of(begun.error());
    for (;;) {
      const CallFailure failure = follow();
      if (failure.kind != CallFailure::Kind::no_daemon) return end_of(failure);
      std::fprintf(stderr, "peerctl: %s; waiting for the daemon to come back\n", printable(failure.message).c_str());
      if (auto reconnected = reconnect(); !reconnected) return end_of(reconnected.error());
    }
  }

 private:
  int end_of(const CallFailure& failure) const {
    return failure.kind == CallFailure::Kind::interrupted ? static_cast<int>(kDone) : invocation_.fail(failure);
  }

  std::expected<void, CallFailure> begin() {
    auto status = invocation_.call("status");
    if (!status) return std::unexpected(status.error());
    const std::string instance = status->at("instance");
    // A new daemon numbers its events from 1 again, so all of them are new.
    if (!instance_.empty() && instance != instance_) since_ = 0;
    instance_ = instance;
    return subscribe();
  }

  std::expected<void, CallFailure> subscribe() {
    Json params = Json::object();
    if (since_) params["since"] = *since_;
    if (!invocation_.arguments.events.only.empty()) params["only"] = invocation_.arguments.events.only;
    auto done = invocation_.call("events.subscribe", params);
    if (!done) return std::unexpected(done.error());
    if (!since_) since_ = done->value("seq", std::uint64_t{0});
    return {};
  }

  /// Prints events until a failure ends the stream.
  CallFailure follow() {
    for (;;) {
      auto event = invocation_.client().next_event(milliseconds(1000));
      if (!event) return event.error();
      if (!*event) {
        // Notice a closed pipe ("| head -n 1") now: the next event may come much later.
        pollfd out{STDOUT_FILENO, 0, 0};
        if (poll(&out, 1, 0) > 0 && (out.revents & (POLLERR | POLLNVAL)) != 0) {
          return CallFailure{CallFailure::Kind::interrupted, "interrupted", "interrupted"};
        }
        continue;
      }
      invocation_.print_json(**event);
      since_ = (*event)->value("seq", since_.value_or(0));
      if ((*event)->value("event", "") != "overflow") continue;
      if (auto subscribed = subscribe(); !subscribed) return subscribed.error();
    }
  }

  /// Fails: interrupted; invalid if the new daemon does not know an event named by --only.
  std::expected<void, CallFailure> reconnect() {
    for (;;) {
      invocation_.disconnect();
      if (invocation_.sleep(milliseconds(200))) {
        return std::unexpected(CallFailure{CallFailure::Kind::interrupted, "interrupted", "interrupted"});
      }
      auto begun = begin();
      if (begun) std::fprintf(stderr, "peerctl: connected again\n");
      const bool is_final = !begun && begun.error().kind == CallFailure::Kind::refused && !begun.error().not_taken;
      if (begun || is_final || begun.error().kind == CallFailure::Kind::interrupted) return begun;
    }
  }

  Invocation& invocation_;
  std::optional<std::uint64_t> since_;
  std::string instance_;
};

}  // namespace

int run_events(Invocation& invocation) {
  invocation.catch_interrupts();
  invocation.never_start_daemon();
  return EventStream(invocation).run();
}

}  // namespace peer::ctl
