// Channel<T>: a bounded queue from any thread or loop to one receiving loop.
//
// 1. Values of one sender come out in the order they went in.
// 2. try_send() never waits: a full channel refuses, and the sender decides what that means.
// 3. After close() nothing goes in; what is inside still comes out, then receive() returns nothing.
// The two ends share state by reference count: either may go first.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/runtime/event.h"

namespace peer::runtime {

template <class T>
class Channel {
  struct State {
    State(Executor& e, std::size_t c) : executor(e), capacity(c) {}
    Executor& executor;  // the receiver's; it must outlive the use of both ends
    const std::size_t capacity;
    std::mutex mutex;
    std::deque<T> items;
    bool closed = false;
    bool notified = false;  // a wake-up is on its way
    Event filled;           // receiver's loop
  };

 public:
  /// Loop: any thread. Copyable.
  class Sender {
   public:
    /// False if the channel is full or closed.
    bool try_send(T value) const { return put(std::move(value), state_->capacity); }
    /// Also beyond the capacity: for the few messages that must not be lost (a goodbye, an end).
    bool send_urgent(T value) const { return put(std::move(value), static_cast<std::size_t>(-1)); }
    void close() const { shut(state_); }

   private:
    friend class Channel;
    explicit Sender(std::shared_ptr<State> state) : state_(std::move(state)) {}
    bool put(T value, std::size_t capacity) const {
      {
        const std::lock_guard lock(state_->mutex);
        if (state_->closed || state_->items.size() >= capacity) return false;
        state_->items.push_back(std::move(value));
        if (std::exchange(state_->notified, true)) return true;
      }
      notify(state_);
      return true;
    }
    std::shared_ptr<State> state_;
  };

  /// Without a capacity the channel is never full. That is for senders whose number bounds the values.
  explicit Channel(Executor& receiver, std::size_t capacity = static_cast<std::size_t>(-1))
      : state_(std::make_shared<State>(receiver, capacity)) {}
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  /// Closes; what is inside ends now, though senders live on.
  ~Channel() {
    close();
    std::deque<T> left;
    const std::lock_guard lock(state_->mutex);
    left.swap(state_->items);
  }

  Sender sender() const { return Sender(state_); }
  void close() { shut(state_); }

  /// Loop: the receiver's; one receiver at a time. Nothing once closed and empty. Cancel: throws Cancelled; no value is
  /// lost.
  Task<std::optional<T>> receive(CancellationToken token) {
    const std::shared_ptr<State> state = state_;
    for (;;) {
      {
        const std::lock_guard lock(state->mutex);
        state->notified = false;
        if (!state->items.empty()) {
          std::optional<T> value(std::move(state->items.front()));
          state->items.pop_front();
          co_return value;
        }
        if (state->closed) co_return std::nullopt;
        state->filled.reset();
      }
      co_await state->filled.wait(token);
    }
  }

  /// Loop: the receiver's. A value that is there already; nothing otherwise.
  std::optional<T> try_receive() {
    const std::lock_guard lock(state_->mutex);
    if (state_->items.empty()) return std::nullopt;
    std::optional<T> value(std::move(state_->items.front()));
    state_->items.pop_front();
    return value;
  }

 private:
  static void notify(const std::shared_ptr<State>& state) {
    state->executor.post([state] { state->filled.set(); });
  }
  static void shut(const std::shared_ptr<State>& state) {
    {
      const std::lock_guard lock(state->mutex);
      if (std::exchange(state->closed, true)) return;
    }
    notify(state);
  }
  std::shared_ptr<State> state_;
};

}  // namespace peer::runtime
