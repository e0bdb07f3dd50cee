// spawn_supervised(): runs a long-lived service under a policy that defines what its end means.
//
// 1. An exception from the service does not leave the supervisor, except as 3 says.
// 2. The observer is notified of every end before the scope is cancelled: with an error, or without one if the service
//    returned. It is also notified of an error during shutdown (`stopping` is set), which causes neither restart nor
//    failure.
// 3. Required: the scope fails when the service ends. Restart: the service runs again after the delay (at least
//    kMinimumRestartDelay). BestEffort: nothing else happens.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <string>
#include <variant>

#include "libpeer/runtime/scope.h"

namespace peer::runtime {

inline constexpr Duration kMinimumRestartDelay = std::chrono::milliseconds(10);

struct Required {};
struct Restart {
  Duration delay;
};
struct BestEffort {};
using Policy = std::variant<Required, Restart, BestEffort>;

/// Called once for each run, with the scope's token.
using Service = std::function<Task<void>(CancellationToken)>;

struct ServiceExit {
  std::string name;
  std::exception_ptr error;  ///< null: the service returned
  bool stopping;             ///< the scope was cancelled before the end
};
/// Must not throw; an exception is dropped.
using ExitObserver = std::function<void(const ServiceExit&)>;

void spawn_supervised(Scope& scope, std::string name, Service service, Policy policy, ExitObserver on_exit);

}  // namespace peer::runtime
