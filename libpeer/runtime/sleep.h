// Sleeping and time limits, on the executor's clock.
#pragma once

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "libpeer/runtime/cancellation.h"
#include "libpeer/runtime/task.h"

namespace peer::runtime {

/// now() + `delay`, or the end of time if that is past it.
TimePoint time_after(const Executor& executor, Duration delay);

/// Cancel: throws Cancelled at once.
Task<void> sleep_for(Executor& executor, Duration delay, CancellationToken token);

/// A cancellation that also requests itself after `limit`. Give its token() to the work; afterwards expired() tells
/// which.
class Deadline {
 public:
  Deadline(Executor& executor, Duration limit, const CancellationToken& parent);
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline();
  CancellationToken token() const noexcept { return source_.token(); }
  bool expired() const noexcept { return expired_; }

 private:
  Executor& executor_;
  CancellationSource source_;
  Executor::Timer timer_;
  bool expired_ = false;
};

namespace detail {
template <class R>
struct Timed {
  using type = std::optional<R>;
};
template <>
struct Timed<void> {
  using type = bool;
};
}  // namespace detail

/// Awaits `fn(token)` for at most `limit`; nothing if the time ran out (of a Task<void>: false). The callee always runs
/// to its end; what it returned in spite of the limit is returned. Cancel: passed on to the callee.
template <class F>
auto with_timeout(Executor& executor, Duration limit, F fn, CancellationToken token)
    -> Task<typename detail::Timed<task_value_t<std::invoke_result_t<F&, CancellationToken>>>::type> {
  using R = task_value_t<std::invoke_result_t<F&, CancellationToken>>;
  Deadline deadline(executor, limit, token);
  typename detail::Timed<R>::type result{};
  try {
    auto task = fn(deadline.token());
    if constexpr (std::is_void_v<R>) {
      co_await task;
      result = true;
    } else {
      result.emplace(co_await task);
    }
  } catch (const Cancelled&) {
    if (token.requested() || !deadline.expired()) throw;
  }
  co_return result;
}

}  // namespace peer::runtime
