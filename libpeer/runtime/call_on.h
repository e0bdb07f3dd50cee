// call_on(): awaiting, on one loop, a task that runs on another.
//
// The callee runs in a scope of its own loop, which must outlive the call (scopes nest, so it does). Its arguments are
// copied or immutable. Cancelling the caller's token is posted to the callee; the caller always waits for the callee's end.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "runtime/scope.h"

namespace peer::rt {

namespace detail {
template <class R>
struct RemoteCall {
  Suspended* waiter = nullptr;             // caller's loop
  std::optional<CancellationSource> stop;  // callee's loop
  bool stop_early = false;                 // callee's loop: the request overtook the start
  std::exception_ptr error;                // written on the callee's loop, read on the caller's after the post
  std::conditional_t<std::is_void_v<R>, char, std::optional<R>> value{};
};

template <class R, class F>
Task<void> run_remote(std::shared_ptr<RemoteCall<R>> call, F fn) {
  try {
    auto task = fn(call->stop->token());
    if constexpr (std::is_void_v<R>) {
      co_await task;
    } else {
      call->value.emplace(co_await task);
    }
  } catch (...) {
    call->error = std::current_exception();
  }
  call->stop.reset();
  Executor* home = call->waiter->executor;
  PEER_CHECK(home->post([call] { call->waiter->wake(); }));
}
}  // namespace detail

/// `fn(token)` is called on `there`'s loop and its Task runs in that scope, named `name`.
/// Cancel: passed on; Cancelled if the callee threw it. Fails: as the callee does; Cancelled if `there`'s loop has closed.
template <class F>
auto call_on(Scope& there, std::string name, F fn, CancellationToken token)
    -> Task<task_value_t<std::invoke_result_t<F&, CancellationToken>>> {
  using R = task_value_t<std::invoke_result_t<F&, CancellationToken>>;
  auto call = std::make_shared<detail::RemoteCall<R>>();
  Scope* scope = &there;
  Executor* remote = &there.executor();

  struct Wait {
    std::shared_ptr<detail::RemoteCall<R>> call;
    Scope* scope;
    Executor* remote;
    std::string name;
    std::optional<F> fn;
    bool await_ready() const noexcept { return false; }
    template <class P>
    bool await_suspend(std::coroutine_handle<P> self) {
      call->waiter = &self.promise();
      const bool open = remote->post([call = call, scope = scope, name = std::move(name), fn = std::move(*fn)]() mutable {
        call->stop.emplace(scope->token());
        if (call->stop_early) call->stop->request();
        Task<void> task = detail::run_remote<R, F>(call, std::move(fn));
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

  Wait wait{call, scope, remote, std::move(name), std::move(fn)};
  std::optional<CancelHook> hook;
  hook.emplace(token, [call, remote] {
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

}  // namespace peer::rt
