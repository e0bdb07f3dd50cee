// Conversions between the executor's time and ngtcp2's, which counts nanoseconds.
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <chrono>

#include "libpeer/runtime/executor.h"

namespace peer::net {

/// Offset by one second: ngtcp2 treats timestamp 0 as "not set", and virtual time starts at 0.
inline ngtcp2_tstamp quic_time(runtime::TimePoint at) {
  const auto since = at.time_since_epoch() + std::chrono::seconds(1);
  return static_cast<ngtcp2_tstamp>(std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
}

inline ngtcp2_duration quic_duration(runtime::Duration duration) {
  return static_cast<ngtcp2_duration>(std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count());
}

inline runtime::Duration from_quic(ngtcp2_duration duration) {
  return std::chrono::duration_cast<runtime::Duration>(std::chrono::nanoseconds(duration));
}

}  // namespace peer::net
