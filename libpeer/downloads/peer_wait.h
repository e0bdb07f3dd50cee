// PeerWait: how long a download outlasts the loss of all its peers.
//
// Each person who asks for the download may bring a wait, which counts from that moment; the longest one holds. While
// the download is paused, no wait is used up.
// Pure: the caller says what time it is.
#pragma once

#include <optional>

#include "libpeer/runtime/executor.h"

namespace peer::downloads {

class PeerWait {
 public:
  /// Adds a wait that begins now.
  void bring(runtime::Duration wait, runtime::TimePoint now);
  /// Somebody brought one, even if it is over.
  bool brought() const noexcept { return brought_; }
  /// When the longest is over; in the past if there is none.
  runtime::TimePoint until(runtime::TimePoint now) const;
  /// What is left of the longest; 0: nothing.
  runtime::Duration left(runtime::TimePoint now) const;

  /// Stops the clock.
  void hold(runtime::TimePoint now);
  /// Lets the clock run again.
  void go_on(runtime::TimePoint now);

 private:
  bool brought_ = false;
  runtime::TimePoint until_ = runtime::TimePoint::min();
  std::optional<runtime::Duration> held_;  ///< what was left when the clock was stopped
};

}  // namespace peer::downloads
