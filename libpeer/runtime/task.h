// Task<T>: a lazy coroutine that its caller awaits, once, on the caller's own loop.
//
// 1. The coroutine starts when the Task is awaited or spawned into a Scope. One that never started may be destroyed.
// 2. A started coroutine runs to its end. Stop it with its token, never by destroying it: C libraries hold pointers
//    into its frame.
// 3. A coroutine that ends wakes its waiter through the queue, not inline. If it never suspended, the waiter does not
//    suspend either.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/runtime/executor.h"

namespace peer::runtime {

namespace detail {

struct PromiseBase : Suspended {
  Suspended* waiter = nullptr;  // set only if the waiter has suspended
  bool started = false;
  bool finished = false;  // compilers disagree about when handle.done() becomes true
  std::exception_ptr error;

  struct Final : std::suspend_always {
    template <class P>
    void await_suspend(std::coroutine_handle<P> self) noexcept {
      PromiseBase& promise = self.promise();
      promise.finished = true;
      if (promise.waiter != nullptr) promise.waiter->wake();
    }
  };
  std::suspend_always initial_suspend() noexcept { return {}; }
  Final final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { error = std::current_exception(); }
  void rethrow() const {
    if (error) std::rethrow_exception(error);
  }
};

template <class T>
struct PromiseValue : PromiseBase {
  std::optional<T> value;
  template <class U = T>
  void return_value(U&& v) {
    value.emplace(std::forward<U>(v));
  }
  T result() {
    rethrow();
    return std::move(*value);
  }
};

template <>
struct PromiseValue<void> : PromiseBase {
  void return_void() noexcept {}
  void result() { rethrow(); }
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  struct promise_type : detail::PromiseValue<T> {
    Task get_return_object() {
      auto handle = std::coroutine_handle<promise_type>::from_promise(*this);
      this->handle = handle;
      return Task(handle);
    }
  };

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (!handle_) return;
    PEER_CHECK(!handle_.promise().started || handle_.promise().finished);
    handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> waiter) {
    PEER_CHECK(handle_ && !handle_.promise().started);  // a Task is awaited once
    promise_type& promise = handle_.promise();
    promise.executor = waiter.promise().executor;
    promise.started = true;
    handle_.resume();
    if (promise.finished) return false;
    promise.waiter = &waiter.promise();
    return true;
  }
  T await_resume() { return handle_.promise().result(); }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

namespace detail {
/// The root of a chain of awaiting coroutines. Its frame frees itself at the end. It must catch every exception.
struct Root {
  struct promise_type : Suspended {
    Root get_return_object() noexcept {
      handle = std::coroutine_handle<promise_type>::from_promise(*this);
      return Root{this};
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void unhandled_exception() noexcept { std::terminate(); }
    void return_void() noexcept {}
  };
  promise_type* promise;

  /// Queues the coroutine: it first runs on the loop's next turn.
  void start(Executor& executor) const noexcept {
    promise->executor = &executor;
    promise->wake();
  }
};
}  // namespace detail

/// The result type of a Task type.
template <class T>
struct task_value;
template <class T>
struct task_value<Task<T>> {
  using type = T;
};
template <class T>
using task_value_t = typename task_value<T>::type;

}  // namespace peer::runtime
