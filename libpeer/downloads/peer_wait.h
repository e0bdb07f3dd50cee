// PeerWait: how long a download waits after the loss of all its peers. Pure: the caller passes the time.
//
// Each command for the download may add a wait, which starts at that moment; the longest one applies. A pause of the
// download stops the clock.
#pragma once

#include <optional>

#include "libpeer/runtime/executor.h"

namespace peer::downloads {

class PeerWait {
 public:
  /// Adds a wait that starts now.
  void bring(runtime::Duration wait, runtime::TimePoint now);
  /// Whether a wait was ever added, even if it has expired.
  bool brought() const noexcept { return brought_; }
  /// The end of the longest wait; in the past if there is none.
  runtime::TimePoint until(runtime::TimePoint now) const;
  /// The rest of the longest wait; 0 if it has expired or there is none.
  runtime::Duration left(runtime::TimePoint now) const;

  /// Stops the clock.
  void hold(runtime::TimePoint now);
  /// Starts the clock again.
  void go_on(runtime::TimePoint now);

 private:
  bool brought_ = false;
  runtime::TimePoint until_ = runtime::TimePoint::min();
  std::optional<runtime::Duration> held_;  ///< the rest when the clock was stopped
};

}  // namespace peer::downloads
