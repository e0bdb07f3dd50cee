// Channel<T>: a queue from any thread to one receiving loop.
//
// 1. Values of one sender are received in the order in which they were sent.
// 2. try_send() never waits: it refuses when the channel is full, and the sender decides what to do.
// 3. After close(), sends are refused; receive() returns what is queued, then nothing.
// Owns: both ends share the state by reference count, so either may be destroyed first.
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
  struct Shared {
    Shared(Executor& e, std::size_t c) : executor(e), capacity(c) {}
    Executor& executor;  // the receiver's; must outlive both ends
    const std::size_t capacity;
    std::mutex mutex;
    std::deque<T> items;
    bool closed = false;
    bool notified = false;  // a post that sets `filled` is under way
    Event filled;           // receiver's loop
  };

  static constexpr auto kUnbounded = static_cast<std::size_t>(-1);

 public:
  /// Copyable. Loop: any thread.
  class Sender {
   public:
    /// False if the channel is full or closed.
    bool try_send(T value) const { return put(std::move(value), state_->capacity); }
    /// Ignores the capacity: for the few messages that must not be lost, such as a goodbye. False if the channel is
    /// closed.
    bool send_urgent(T value) const { return put(std::move(value), kUnbounded); }
    void close() const { close_shared(state_); }

   private:
    friend class Channel;
    explicit Sender(std::shared_ptr<Shared> state) : state_(std::move(state)) {}
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
    std::shared_ptr<Shared> state_;
  };

  Channel(Executor& receiver, std::size_t capacity) : state_(std::make_shared<Shared>(receiver, capacity)) {}
  /// A channel without a capacity, for senders whose number and rate are bounded elsewhere.
  explicit Channel(Executor& receiver) : Channel(receiver, kUnbounded) {}
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  /// Closes the channel and destroys what is queued, even if senders remain.
  ~Channel() {
    close();
    std::deque<T> left;
    const std::lock_guard lock(state_->mutex);
    left.swap(state_->items);
  }

  Sender sender() const { return Sender(state_); }
  void close() { close_shared(state_); }

  /// Waits for a value; nothing once the channel is closed and empty. One receiver at a time. Loop: the receiver's.
  /// Cancel: throws Cancelled; no value is lost.
  Task<std::optional<T>> receive(CancellationToken token) {
    const std::shared_ptr<Shared> state = state_;
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

  /// The next value; nothing if the channel is empty. Loop: the receiver's.
  std::optional<T> try_receive() {
    const std::lock_guard lock(state_->mutex);
    if (state_->items.empty()) return std::nullopt;
    std::optional<T> value(std::move(state_->items.front()));
    state_->items.pop_front();
    return value;
  }

 private:
  static void notify(const std::shared_ptr<Shared>& state) {
    state->executor.post([state] { state->filled.set(); });
  }
  static void close_shared(const std::shared_ptr<Shared>& state) {
    {
      const std::lock_guard lock(state->mutex);
      if (std::exchange(state->closed, true)) return;
    }
    notify(state);
  }
  std::shared_ptr<Shared> state_;
};

}  // namespace peer::runtime
