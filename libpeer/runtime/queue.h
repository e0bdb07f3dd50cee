// Queue<T>: a bounded queue between coroutines of one loop. A full one holds its producers back.
//
// 1. Values come out in the order they went in.
// 2. After close() nothing goes in; what is inside still comes out, then pop() returns nothing.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/runtime/event.h"

namespace peer::runtime {

template <class T>
class Queue {
 public:
  explicit Queue(std::size_t capacity) : capacity_(capacity) { PEER_CHECK(capacity > 0); }

  /// Waits for room. False if the queue is closed. Cancel: throws Cancelled, and the value is dropped.
  Task<bool> push(T value, CancellationToken token) {
    while (!closed_ && items_.size() >= capacity_) {
      room_.reset();
      co_await room_.wait(token);
    }
    co_return try_push(std::move(value));
  }
  /// False if the queue is full or closed.
  bool try_push(T value) {
    if (closed_ || items_.size() >= capacity_) return false;
    items_.push_back(std::move(value));
    filled_.set();
    return true;
  }
  /// Waits for a value; nothing once the queue is closed and empty. Cancel: throws Cancelled; no value is lost.
  Task<std::optional<T>> pop(CancellationToken token) {
    while (items_.empty() && !closed_) {
      filled_.reset();
      co_await filled_.wait(token);
    }
    co_return try_pop();
  }
  std::optional<T> try_pop() {
    if (items_.empty()) return std::nullopt;
    std::optional<T> value(std::move(items_.front()));
    items_.pop_front();
    room_.set();
    return value;
  }
  void close() noexcept {
    closed_ = true;
    filled_.set();
    room_.set();
  }
  bool closed() const noexcept { return closed_; }
  std::size_t size() const noexcept { return items_.size(); }

 private:
  std::size_t capacity_;
  std::deque<T> items_;
  bool closed_ = false;
  Event filled_;
  Event room_;
};

}  // namespace peer::runtime
