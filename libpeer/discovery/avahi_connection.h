// AvahiConnection: the connection to avahi-daemon that the parts of an AvahiSession share, and the reason if it failed.
//
// Loop: the Avahi thread's.
#pragma once

#include <avahi-client/client.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "libpeer/discovery/record_table.h"
#include "libpeer/net/interfaces.h"
#include "libpeer/runtime/event.h"
#include "libpeer/runtime/executor.h"

namespace peer::discovery {

/// What to publish and where. It outlives sessions.
struct AvahiPublication {
  Record record;
  std::string service;  ///< the name of the instance; a collision changes it
  std::uint16_t port = 0;
  std::vector<int> interfaces;                ///< empty: all, also those that appear later
  std::vector<net::InterfaceAddress> usable;  ///< peers that are found on other interfaces are ignored
  std::uint64_t placement = 1;                ///< counts the changes of service, port and interfaces
  runtime::Event changed;  ///< wakes run(): something here changed, or a callback has something to report
};

/// The most calls into avahi-daemon of one kind in one step, so that a stop request takes effect between steps.
inline constexpr std::size_t kCallsPerTurn = 16;

struct AvahiConnection {
  runtime::Executor& executor;
  AvahiPublication& publication;
  RecordTable& table;
  const std::atomic<bool>& stopping;
  AvahiClient* client = nullptr;
  std::string failure;

  bool is_over() const noexcept { return !failure.empty() || stopping; }
  /// Ends the session. `what` says what failed; Avahi's error is added. Only the first failure counts.
  void fail_with(const std::string& what);
};

}  // namespace peer::discovery
