// ReadyQueue: the coroutines that an executor resumes next, first in, first out. It allocates nothing.
#pragma once

#include "libpeer/base/check.h"
#include "libpeer/runtime/executor.h"

namespace peer::runtime {

/// Loop: one thread at a time.
class ReadyQueue {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  void push(Suspended& coroutine) noexcept {
    PEER_CHECK(!coroutine.queued);
    coroutine.queued = true;
    coroutine.next = nullptr;
    (last_ == nullptr ? first_ : last_->next) = &coroutine;
    last_ = &coroutine;
  }
  /// Null if the queue is empty.
  Suspended* pop() noexcept {
    Suspended* const coroutine = first_;
    if (coroutine == nullptr) return nullptr;
    first_ = coroutine->next;
    if (first_ == nullptr) last_ = nullptr;
    coroutine->queued = false;
    return coroutine;
  }

 private:
  Suspended* first_ = nullptr;
  Suspended* last_ = nullptr;
};

}  // namespace peer::runtime
