// CreditPool: limits how many items may be on their way from one loop to another.
//
// A bounded queue between two loops has to slow the sender down without a timer. The sender acquires a credit for each
// item, and the credit travels with the item. When the receiver destroys the item, the credit returns to the pool and
// wakes a sender that waits for one.
// Loop: the pool belongs to the sender's loop; a Credit may be destroyed on any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include "libpeer/runtime/event.h"

namespace peer::sessions {

namespace detail {
struct CreditState {
  CreditState(runtime::Executor& e, std::size_t count) : executor(e), free(count) {}
  bool try_acquire() noexcept;
  static void release(std::shared_ptr<CreditState> state);

  runtime::Executor& executor;  ///< the sender's
  std::atomic<std::size_t> free;
  std::atomic<std::size_t> waiting = 0;
  runtime::Event freed;
};
}  // namespace detail

/// One acquired credit. Its destructor gives it back.
class [[nodiscard]] Credit {
 public:
  Credit() = default;  ///< holds nothing
  Credit(Credit&&) noexcept = default;
  Credit& operator=(Credit&& other) noexcept {
    if (this != &other) {
      give_back();
      state_ = std::move(other.state_);
    }
    return *this;
  }
  ~Credit() { give_back(); }

 private:
  friend class CreditPool;
  explicit Credit(std::shared_ptr<detail::CreditState> state) noexcept : state_(std::move(state)) {}
  void give_back() noexcept {
    if (state_) detail::CreditState::release(std::exchange(state_, nullptr));
  }
  std::shared_ptr<detail::CreditState> state_;
};

class CreditPool {
 public:
  CreditPool(runtime::Executor& sender, std::size_t count)
      : state_(std::make_shared<detail::CreditState>(sender, count)) {}

  std::optional<Credit> try_acquire();
  /// Waits until a credit is free. Cancel: throws Cancelled; not if one is free already.
  runtime::Task<Credit> acquire(runtime::CancellationToken token);

 private:
  std::shared_ptr<detail::CreditState> state_;
};

}  // namespace peer::sessions
