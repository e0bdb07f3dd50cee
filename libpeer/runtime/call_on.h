// call_on(): awaits, on one loop, a task that runs on another loop. For a plain function, see run_on().
//
// The callee runs in a scope of its own loop, which must outlive the call; nested scopes do. Its arguments are copied
// or immutable. A cancellation of the caller is posted to the callee, and the caller always waits until the callee
// ends.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "libpeer/runtime/scope.h"

namespace peer::runtime {

namespace detail {
template <class R>
struct RemoteCall {
  Suspended* waiter = nullptr;             // caller's loop
  std::optional<CancellationSource> stop;  // callee's loop
  bool stop_early = false;                 // callee's loop: the request arrived before the start
  std::exception_ptr error;                // written on the callee's loop; read on the caller's, after the post
  std::conditional_t<std::is_void_v<R>, char, std::optional<R>> value{};
};

template <class R>
void return_to_caller(const std::shared_ptr<RemoteCall<R>>& call) {
  PEER_CHECK(call->waiter->executor->post(
      [call] { call->waiter->wake(); }));  // accepted: a loop closes only after its tasks have ended
}

// Destroys what the callee owns on the callee's loop, before the caller resumes.
template <class R, class F>
Task<void> run_remote(std::shared_ptr<RemoteCall<R>> call, std::optional<F> fn) {
  try {
    auto task = (*fn)(call->stop->token());
    if constexpr (std::is_void_v<R>) {
      co_await task;
    } else {
      call->value.emplace(co_await task);
    }
  } catch (...) {
    call->error = std::current_exception();
  }
  fn.reset();
  call->stop.reset();
  return_to_caller(call);
}

template <class R, class F>
struct RemoteWait {
  std::shared_ptr<RemoteCall<R>> call;
  Scope* scope;
  std::string name;
  std::optional<F> fn;

  bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> self) {
    call->waiter = &self.promise();
    const bool open =
        scope->executor().post([call = call, scope = scope, name = std::move(name), fn = std::move(fn)]() mutable {
          if (scope->joined()) {
            call->error = std::make_exception_ptr(Cancelled{});
            fn.reset();
            return_to_caller(call);
            return;
          }
          call->stop.emplace(scope->token());
          if (call->stop_early) call->stop->request();
          Task<void> task = run_remote<R, F>(call, std::move(fn));
          scope->spawn(std::move(name), std::move(task));
        });
    if (!open) call->error = std::make_exception_ptr(Cancelled{});
    return open;
  }
  R await_resume() {
    if (call->error) std::rethrow_exception(call->error);
    if constexpr (!std::is_void_v<R>) return std::move(*call->value);
  }
};
}  // namespace detail

/// Calls `fn(token)` on `there`'s loop, runs the returned Task in that scope under `name`, and returns its result.
/// Cancel: passed on to the callee. Fails: rethrows what the callee throws; Cancelled if `there` has been joined or its
/// loop has closed.
template <class F>
auto call_on(Scope& there, std::string name, F fn, CancellationToken token)
    -> Task<task_value_t<std::invoke_result_t<F&, CancellationToken>>> {
  using R = task_value_t<std::invoke_result_t<F&, CancellationToken>>;
  auto call = std::make_shared<detail::RemoteCall<R>>();
  Executor* remote = &there.executor();
  detail::RemoteWait<R, F> wait{call, &there, std::move(name), std::move(fn)};
  CancelHook hook(token, [call, remote] {
    remote->post([call] {
      if (call->stop) {
        call->stop->request();
      } else {
        call->stop_early = true;
      }
    });
  });
  co_return co_await wait;
}

}  // namespace peer::runtime
