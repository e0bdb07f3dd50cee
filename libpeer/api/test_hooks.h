// TestHooks: what a test may do to a running peer.
//
// Test builds put one into PeerEnvironment::test_hooks; in release builds that pointer is null. The classes of the
// public API have the same layout in both builds.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "libpeer/api/commands.h"
#include "libpeer/base/result.h"
#include "libpeer/runtime/supervisor.h"

namespace peer::api {

/// Owns: must outlive the peer.
class TestHooks {
 public:
  virtual ~TestHooks() = default;
  /// Runs `service`, and ends it as fail_service() requests. Loop: control.
  virtual runtime::Task<void> run_service(std::string name, runtime::Service service,
                                          runtime::CancellationToken token) = 0;
  /// Makes a service fail. Loop: control. Fails: invalid; busy if the service is not running.
  virtual Result<bool> fail_service(const FailService& command) = 0;
  /// Changes bytes that are about to be sent, after all checks: as a lying peer would. Loop: net.
  virtual void tamper(std::span<std::uint8_t> bytes) = 0;
};

}  // namespace peer::api
