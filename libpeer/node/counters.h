// Counters: totals since the start, for the metrics. Loop: control.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "libpeer/api/events.h"

namespace peer::node {

struct Counters {
  /// Counts an event. EventEmitter calls it for every event.
  void count(const api::Event& event);

  std::map<std::string, std::uint64_t> downloads;  ///< ended downloads by outcome
  std::map<PeerId, std::uint64_t> received;        ///< chunk payload by source, of ended downloads
  std::map<PeerId, std::uint64_t> wrong_chunks;    ///< received, by source
  std::uint64_t verified = 0;                      ///< bytes read by verify
  std::uint64_t damaged = 0;                       ///< files that verify found damaged
  std::uint64_t banned = 0;
  std::uint64_t lost = 0;  ///< peers that timed out
};

}  // namespace peer::node
