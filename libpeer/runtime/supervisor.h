// spawn_supervised(): a long-lived service under a policy that says what its end means.
//
// 1. What a service throws is contained here.
// 2. Any end before the scope is cancelled is told to the observer: an error, or none if it simply returned. An error
// during
//    shutdown is told too, with `stopping` set; it is not a reason to restart or to fail.
// 3. Required: then the scope fails with it. Restart: it runs again after the delay (at least kMinimumRestartDelay).
//    BestEffort: everything else goes on without it.
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

/// Called once a run; the token is the scope's.
using Service = std::function<Task<void>(CancellationToken)>;

struct ServiceExit {
  std::string name;
  std::exception_ptr error;  ///< null: it returned
  bool stopping;             ///< the scope had been cancelled
};
/// What it throws is contained and dropped: an observer must not.
using ExitObserver = std::function<void(const ServiceExit&)>;

void spawn_supervised(Scope& scope, std::string name, Service service, Policy policy, ExitObserver on_exit);

}  // namespace peer::runtime
