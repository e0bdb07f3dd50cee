// Sleeping and time limits, on the executor's clock.
#pragma once

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "libpeer/runtime/cancellation.h"
#include "libpeer/runtime/task.h"

namespace peer::runtime {

/// now() + `delay`, limited to TimePoint::max().
TimePoint time_after(const Executor& executor, Duration delay);

/// Waits for `delay`. Cancel: throws Cancelled at once.
Task<void> sleep_for(Executor& executor, Duration delay, CancellationToken token);

/// A cancellation that is requested with its parent or after `limit`, whichever is first. Pass token() to the work;
/// afterwards expired() says whether the time ran out.
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

/// Awaits `fn(token)` and cancels it after `limit`. Returns its result, or nothing if the limit cancelled it; for a
/// Task<void>, true or false. A callee that returns in spite of the limit has its result returned.
/// Cancel: passed on to the callee.
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
