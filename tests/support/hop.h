// Hop: an awaitable that waits for one turn of the executor.
#pragma once

#include <coroutine>

namespace peer::test {

/// Wakes its coroutine at once, so that it resumes in a later turn.
struct Hop {
  bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> self) const noexcept {
    self.promise().wake();
  }
  void await_resume() const noexcept {}
};

}  // namespace peer::test
