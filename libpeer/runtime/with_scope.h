// with_scope(): runs a body with a scope that is stopped and joined on every path.
//
// A function that spawns into a scope must also join it when it fails or is cancelled, and a coroutine cannot await
// inside a catch block. Written by hand, this is a try block, a saved exception, a stop, a join and a rethrow; if one
// of them is missing, a task outlives what it uses.
//
// 1. The scope is a child of `parent` and is cancelled by `token`.
// 2. When `body(scope)` has ended, by return or by exception, the scope is stopped, then joined. A body that lets the
//    tasks finish awaits scope.join() itself.
// 3. A body's failure and those of the tasks are reported together, as Scope::join() does. A Cancelled that leaves the
//    body counts as a failure unless the scope was requested to stop.
#pragma once

#include <exception>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "libpeer/runtime/scope.h"

namespace peer::runtime {

/// Returns what `body` returns. Loop: the parent's. Cancel: passed on to the scope; throws Cancelled if the body did.
/// Fails: as in 3.
template <class F>
auto with_scope(Scope& parent, std::string name, F body, CancellationToken token)
    -> Task<task_value_t<std::invoke_result_t<F&, Scope&>>> {
  using R = task_value_t<std::invoke_result_t<F&, Scope&>>;
  Scope scope(parent, std::move(name), token);
  std::conditional_t<std::is_void_v<R>, char, std::optional<R>> value{};
  bool cancelled = false;
  try {
    auto task = body(scope);
    if constexpr (std::is_void_v<R>) {
      co_await task;
    } else {
      value.emplace(co_await task);
    }
  } catch (const Cancelled&) {
    cancelled = scope.token().requested();
    if (!cancelled) scope.fail(std::current_exception());
  } catch (...) {
    scope.fail(std::current_exception());
  }
  scope.request_stop();
  co_await scope.join();
  if (cancelled) throw Cancelled{};
  if constexpr (!std::is_void_v<R>) co_return std::move(*value);
}

}  // namespace peer::runtime
