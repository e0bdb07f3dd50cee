// PeerWait: how long a download outlasts the loss of all its peers.
//
// Each person who asks for the download may bring a wait, which counts from that moment; the longest one holds. While
// the download is paused, no wait is used up.
// Pure: the caller says what time it is.
#pragma once

#include <optional>

#include "libpeer/runtime/executor.h"

namespace peer::node {

class PeerWait {
 public:
  /// Adds a wait that begins now.
  void bring(rt::Duration wait, rt::TimePoint now);
  /// Somebody brought one, even if it is over.
  bool brought() const noexcept { return brought_; }
  /// When the longest is over; in the past if there is none.
  rt::TimePoint until(rt::TimePoint now) const;
  /// What is left of the longest; 0: nothing.
  rt::Duration left(rt::TimePoint now) const;

  /// Stops the clock.
  void hold(rt::TimePoint now);
  /// Lets the clock run again.
  void go_on(rt::TimePoint now);

 private:
  bool brought_ = false;
  rt::TimePoint until_ = rt::TimePoint::min();
  std::optional<rt::Duration> held_;  ///< what was left when the clock was stopped
};

}  // namespace peer::node
