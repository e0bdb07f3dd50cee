// cancel_at_each_step(): checks that a scenario ends completely wherever it is cancelled.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <functional>

#include "libpeer/runtime/cancellation.h"
#include "support/run_task.h"

namespace peer::test {

using CancelScenario = std::function<runtime::Task<void>(runtime::Executor&, runtime::CancellationToken)>;

/// Runs `scenario` repeatedly on a new executor and cancels it one step later each time, until it ends by itself. Each
/// cancelled run must end by return or by Cancelled, without waiting for a timer and without leaving one armed.
inline void cancel_at_each_step(const CancelScenario& scenario) {
  bool complete = false;
  for (int steps = 0; !complete; ++steps) {
    INFO("cancelled after step " << steps);
    runtime::ManualExecutor executor;
    runtime::CancellationSource source;
    detail::Outcome<void> outcome;
    detail::run_root(scenario(executor, source.token()), &outcome).start(executor);
    for (int i = 0; i < steps && !outcome.finished; ++i) {
      if (!executor.step()) REQUIRE(executor.advance_to_next_timer());
    }
    complete = outcome.finished;
    source.request();
    executor.run_ready();
    REQUIRE(outcome.finished);
    CHECK(executor.timers() == 0);
    if (complete) REQUIRE(outcome.error == nullptr);
    try {
      if (outcome.error) std::rethrow_exception(outcome.error);
    } catch (const runtime::Cancelled&) {
    }
  }
}

}  // namespace peer::test
