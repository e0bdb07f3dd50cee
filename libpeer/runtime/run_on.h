// run_on(): calls, from one loop, a plain function on another loop.
//
// An object of another loop may be used on that loop only. call_on() awaits a task there and needs a scope for it; for
// a function that does not wait, a posted message and its answer are enough.
#pragma once

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/runtime/cancellation.h"
#include "libpeer/runtime/task.h"

namespace peer::runtime {

namespace detail {
template <class R, class F>
struct RemoteRun {
  Executor& there;
  std::optional<F> fn;
  Suspended* waiter = nullptr;
  std::exception_ptr error = nullptr;
  std::conditional_t<std::is_void_v<R>, char, std::optional<R>> value{};

  bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> self) {
    waiter = &self.promise();
    // Once the post succeeds, the other thread may wake the waiter and end this object.
    if (there.post([this] { run(); })) return true;
    error = std::make_exception_ptr(Cancelled{});
    return false;
  }
  R await_resume() {
    if (error) std::rethrow_exception(error);
    if constexpr (!std::is_void_v<R>) return std::move(*value);
  }
  void run() {
    try {
      if constexpr (std::is_void_v<R>) {
        (*fn)();
      } else {
        value.emplace((*fn)());
      }
    } catch (...) {
      error = std::current_exception();
    }
    fn.reset();  // destroyed on its own loop, before the caller resumes
    Suspended* woken = waiter;
    PEER_CHECK(
        woken->executor->post([woken] { woken->wake(); }));  // accepted: a loop closes only after its tasks have ended
  }
};
}  // namespace detail

/// Runs `fn()` on `there`'s loop and returns its result.
/// Cancel: not cancellable; `fn` must be short. Fails: rethrows what `fn` throws; Cancelled if the loop is closed.
template <class F>
auto run_on(Executor& there, F fn) -> Task<std::invoke_result_t<F&>> {
  detail::RemoteRun<std::invoke_result_t<F&>, F> run{there, std::move(fn)};
  co_return co_await run;
}

}  // namespace peer::runtime
