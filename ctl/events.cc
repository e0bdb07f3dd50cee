// events.
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "ctl/session.h"
#include "ctl/text/format.h"

namespace peer::ctl {
namespace {

using std::chrono::milliseconds;

/// Prints events over restarts of the daemon, until interrupted.
class EventStream {
 public:
  explicit EventStream(Session& session) : session_(session), since_(session.arguments.since) {}

  int run() {
    if (auto begun = begin(); !begun) return end_of(begun.error());
    for (;;) {
      const CallFailure failure = follow();
      if (failure.kind != CallFailure::Kind::no_daemon) return end_of(failure);
      std::fprintf(stderr, "peerctl: %s; waiting for the daemon to come back\n", plain(failure.message).c_str());
      if (auto again = reconnect(); !again) return end_of(again.error());
    }
  }

 private:
  int end_of(const CallFailure& failure) const {
    return failure.kind == CallFailure::Kind::interrupted ? static_cast<int>(kDone) : session_.fail(failure);
  }

  std::expected<void, CallFailure> begin() {
    auto status = session_.call("status");
    if (!status) return std::unexpected(status.error());
    const std::string instance = status->at("instance");
    // A new daemon counts from 1 again: all that it has told so far is new.
    if (!instance_.empty() && instance != instance_) since_ = 0;
    instance_ = instance;
    return subscribe();
  }

  std::expected<void, CallFailure> subscribe() {
    Json params = Json::object();
    if (since_) params["since"] = *since_;
    if (!session_.arguments.only.empty()) params["only"] = session_.arguments.only;
    auto done = session_.call("events.subscribe", params);
    if (!done) return std::unexpected(done.error());
    if (!since_) since_ = done->value("seq", std::uint64_t{0});
    return {};
  }

  /// Prints until something ends it.
  CallFailure follow() {
    for (;;) {
      auto event = session_.client().next_event(milliseconds(1000));
      if (!event) return event.error();
      if (!*event) {
        // Who reads this may be gone ("| head -n 1") long before there is something to write again.
        pollfd out{STDOUT_FILENO, 0, 0};
        if (poll(&out, 1, 0) > 0 && (out.revents & (POLLERR | POLLNVAL)) != 0) {
          return CallFailure{CallFailure::Kind::interrupted, "interrupted", "interrupted"};
        }
        continue;
      }
      session_.print(**event);
      since_ = (*event)->value("seq", since_.value_or(0));
      if ((*event)->value("event", "") != "overflow") continue;
      if (auto again = subscribe(); !again) return again.error();
    }
  }

  /// Fails: interrupted; invalid, if the new daemon does not know what is asked for.
  std::expected<void, CallFailure> reconnect() {
    for (;;) {
      session_.disconnect();
      if (session_.sleep(milliseconds(200))) {
        return std::unexpected(CallFailure{CallFailure::Kind::interrupted, "interrupted", "interrupted"});
      }
      auto begun = begin();
      if (begun) std::fprintf(stderr, "peerctl: connected again\n");
      const bool hopeless = !begun && begun.error().kind == CallFailure::Kind::refused && !begun.error().not_taken;
      if (begun || hopeless || begun.error().kind == CallFailure::Kind::interrupted) return begun;
    }
  }

  Session& session_;
  std::optional<std::uint64_t> since_;
  std::string instance_;
};

}  // namespace

int run_events(Session& session) {
  session.catch_interrupts();
  session.let_sleep();
  return EventStream(session).run();
}

}  // namespace peer::ctl
