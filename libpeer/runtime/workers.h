// Worker threads for blocking work (disk, hashing, SQLite, name look-ups), and offload(), which awaits a job on one.
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "libpeer/runtime/cancellation.h"
#include "libpeer/runtime/task.h"

namespace peer::runtime {

/// A pool of threads. In a simulation, the manual executor replaces it and completes jobs in a seeded order.
/// Loop: any thread.
class Workers {
 public:
  using Job = std::move_only_function<void()>;
  virtual ~Workers() = default;
  /// Runs `job` on a worker. Jobs start in the order of submission. `job` must not throw.
  virtual void submit(Job job) = 0;
};

/// A cancellation flag that a worker may read. Long jobs check it between pieces of work.
class StopFlag {
 public:
  bool requested() const noexcept { return flag_->load(std::memory_order_relaxed); }

 private:
  template <class F>
  friend auto offload(Workers&, F, CancellationToken) -> Task<std::invoke_result_t<F&, const StopFlag&>>;
  template <class F>
  friend auto offload_abandonable(Workers&, F, CancellationToken) -> Task<std::invoke_result_t<F&, const StopFlag&>>;
  std::shared_ptr<std::atomic<bool>> flag_ = std::make_shared<std::atomic<bool>>(false);
};

namespace detail {
/// Suspends until the job has run on its worker.
template <class R>
struct Offload {
  Workers& workers;
  std::move_only_function<R()> job;
  Suspended* waiter = nullptr;
  std::exception_ptr error = nullptr;
  std::conditional_t<std::is_void_v<R>, char, std::optional<R>> value{};

  bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> self) {
    waiter = &self.promise();
    workers.submit([this] {
      try {
        if constexpr (std::is_void_v<R>) {
          job();
        } else {
          value.emplace(job());
        }
      } catch (...) {
        error = std::current_exception();
      }
      job = nullptr;  // destroyed on the worker, before the waiter resumes
      Suspended* woken = waiter;
      PEER_CHECK(woken->executor->post(
          [woken] { woken->wake(); }));  // accepted: a loop closes only after its tasks have ended
    });
  }
  R await_resume() {
    if (error) std::rethrow_exception(error);
    if constexpr (!std::is_void_v<R>) return std::move(*value);
  }
};
}  // namespace detail

/// Runs `fn(stop)` on a worker and returns its result.
/// Cancel: a job that has not started is skipped, and Cancelled is thrown. One that has started runs to its end and its
/// result is returned, so that no write is cut in half or lost; `stop` tells `fn` of the request.
template <class F>
auto offload(Workers& workers, F fn, CancellationToken token) -> Task<std::invoke_result_t<F&, const StopFlag&>> {
  using R = std::invoke_result_t<F&, const StopFlag&>;
  token.throw_if_requested();
  StopFlag stop;
  auto flag = stop.flag_;
  CancelHook hook(token, [flag] { flag->store(true, std::memory_order_relaxed); });
  std::move_only_function<R()> job = [fn = std::move(fn), stop]() mutable -> R {
    if (stop.requested()) throw Cancelled{};
    return fn(stop);
  };
  detail::Offload<R> wait{workers, std::move(job)};
  co_return co_await wait;
}

}  // namespace peer::runtime
