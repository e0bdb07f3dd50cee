// EventSubscription: the events that one client has subscribed to, written to its pipe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libpeer/control/control_pipe.h"
#include "libpeer/control/events.h"

namespace peer::control {

/// Loop: control. Owns: nothing; the hub and the pipe must outlive it. end() must have been called before destruction.
/// Limits: kMaxUnsentEvents; a client that reads more slowly loses its subscription, and receives an overflow event
/// with the number from which it can subscribe again.
class EventSubscription final : public EventReader {
 public:
  static constexpr std::size_t kMaxUnsentEvents = 256;

  EventSubscription(EventHub& hub, ControlPipe& pipe) : hub_(hub), pipe_(pipe) {}

  bool active() const noexcept { return active_; }
  /// `only`: the names of the events to send; empty: all. `since`: replay() sends the kept events that follow it.
  void begin(std::optional<std::uint64_t> since, std::vector<std::string> only);
  void end();
  /// Sends the kept events that begin() asked for. Called after the answer to the subscription has been written.
  void replay();

  void on_event(const NumberedEvent& event) override;

 private:
  EventHub& hub_;
  ControlPipe& pipe_;
  bool active_ = false;
  std::size_t limit_ = kMaxUnsentEvents;
  std::optional<std::uint64_t> replay_since_;
};

}  // namespace peer::control
