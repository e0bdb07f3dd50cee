// offload_abandonable(): offload() for system calls that cannot be interrupted, such as a name look-up or a read from a
// dead NFS server.
//
// The waiter and the job share a reference-counted state. A job that ends after its waiter was cancelled posts nothing,
// so the waiter and the executor may be destroyed while the job still runs.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "libpeer/runtime/workers.h"

namespace peer::runtime {

namespace detail {
template <class R>
struct Abandonable {
  std::mutex mutex;             // held by the job while it posts: the executor exists as long as `waiter` is set
  Suspended* waiter = nullptr;  // null once the job is abandoned or the waiter is woken
  bool cancelled = false;       // waiter's loop
  std::exception_ptr error;     // written by the job before it posts
  std::conditional_t<std::is_void_v<R>, char, std::optional<R>> value{};

  Suspended* claim_waiter() noexcept {
    const std::lock_guard lock(mutex);
    return std::exchange(waiter, nullptr);
  }
};

template <class R, class F>
void run_abandonable(const std::shared_ptr<Abandonable<R>>& state, F fn, const StopFlag& stop) {
  std::exception_ptr error;
  std::conditional_t<std::is_void_v<R>, char, std::optional<R>> value{};
  try {
    F job = std::move(fn);  // destroyed before the waiter resumes
    if (stop.requested()) return;
    if constexpr (std::is_void_v<R>) {
      job(stop);
    } else {
      value.emplace(job(stop));
    }
  } catch (...) {
    error = std::current_exception();
  }
  const std::lock_guard lock(state->mutex);
  if (state->waiter == nullptr) return;
  state->error = std::move(error);
  state->value = std::move(value);
  PEER_CHECK(state->waiter->executor->post([state] {
    if (Suspended* waiter = state->claim_waiter()) waiter->wake();
  }));
}

template <class R, class F>
struct AbandonableWait {
  Workers& workers;
  std::shared_ptr<Abandonable<R>> state;
  std::optional<F> fn;
  StopFlag stop;

  bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> self) {
    state->waiter = &self.promise();
    workers.submit([state = state, fn = std::move(fn), stop = stop]() mutable {
      run_abandonable<R, F>(state, std::move(*fn), stop);
    });
  }
  R await_resume() {
    if (state->cancelled) throw Cancelled{};
    if (state->error) std::rethrow_exception(state->error);
    if constexpr (!std::is_void_v<R>) return std::move(*state->value);
  }
};
}  // namespace detail

/// Runs `fn(stop)` on a worker and returns its result.
/// Owns: `fn` must own everything it uses, by value or by reference count, because it may outlive the call, the waiter
/// and the loop.
/// Cancel: throws Cancelled at once. A job that has started runs on, and its result is dropped on the worker.
/// Limits: an abandoned job occupies its worker until it ends, and the workers' destructor waits for it. Use a pool of
/// its own for such jobs.
template <class F>
auto offload_abandonable(Workers& workers, F fn, CancellationToken token)
    -> Task<std::invoke_result_t<F&, const StopFlag&>> {
  using R = std::invoke_result_t<F&, const StopFlag&>;
  token.throw_if_requested();
  StopFlag stop;
  auto state = std::make_shared<detail::Abandonable<R>>();
  detail::AbandonableWait<R, F> wait{workers, state, std::move(fn), stop};
  auto flag = stop.flag_;
  CancelHook hook(token, [state, flag] {
    flag->store(true, std::memory_order_relaxed);
    Suspended* waiter = state->claim_waiter();
    if (waiter == nullptr) return;
    state->cancelled = true;
    waiter->wake();
  });
  co_return co_await wait;
}

}  // namespace peer::runtime
