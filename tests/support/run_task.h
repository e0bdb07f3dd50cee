// Runs a Task to its end: on the manual executor under virtual time, or on libuv.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "libpeer/runtime/manual_executor.h"
#include "libpeer/runtime/task.h"
#include "libpeer/runtime/uv_executor.h"

namespace peer::test {

namespace detail {
template <class T>
struct Outcome {
  bool finished = false;
  std::exception_ptr error;
  std::conditional_t<std::is_void_v<T>, char, std::optional<T>> value{};
};

template <class T>
runtime::detail::Root run_root(runtime::Task<T> task, Outcome<T>* out) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await task;
    } else {
      out->value.emplace(co_await task);
    }
  } catch (...) {
    out->error = std::current_exception();
  }
  out->finished = true;
}
}  // namespace detail

/// Runs `task` to its end and returns its result or rethrows its exception. Whenever nothing is ready, moves the clock
/// to the next timer. Other tasks may still run afterwards. Fails the test if there is nothing left to wait for, or
/// after `limit` of virtual time.
template <class T>
T run_sync(runtime::ManualExecutor& executor, runtime::Task<T> task, runtime::Duration limit = std::chrono::hours(1)) {
  const runtime::TimePoint end = executor.now() + limit;
  detail::Outcome<T> outcome;
  detail::run_root<T>(std::move(task), &outcome).start(executor);
  std::size_t steps = 0;  // since the clock moved
  while (!outcome.finished) {
    if (executor.step()) {
      if (++steps > 10'000'000) FAIL("the task spins");
      continue;
    }
    steps = 0;
    if (!executor.advance_to_next_timer()) FAIL("the task waits, but nothing is ready and no timer is armed");
    if (executor.now() > end) FAIL("the task has not ended within the time limit");
  }
  if (outcome.error) std::rethrow_exception(outcome.error);
  if constexpr (!std::is_void_v<T>) return std::move(*outcome.value);
}

/// The same for a whole scenario: afterwards no coroutine may be ready and no timer may be armed.
template <class T>
T run_task(runtime::ManualExecutor& executor, runtime::Task<T> task, runtime::Duration limit = std::chrono::hours(1)) {
  struct Clean {
    runtime::ManualExecutor& executor;
    ~Clean() {
      executor.run_ready();
      CHECK(executor.timers() == 0);
    }
  };
  const Clean clean{executor};
  return run_sync(executor, std::move(task), limit);
}

/// Runs `main(executor)` on a new loop, which must have no open handles afterwards (the executor checks it).
inline void run_on_uv(const std::function<runtime::Task<void>(runtime::UvExecutor&)>& main) {
  runtime::UvExecutor executor;
  executor.run(main(executor));
}
inline void run_on_uv(runtime::Task<void> main) {
  runtime::UvExecutor executor;
  executor.run(std::move(main));
}

}  // namespace peer::test
