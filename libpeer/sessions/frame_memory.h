// FrameMemory: the memory for session frames that arrive or wait for the control loop, shared fairly among accounts.
// Loop: the sender's; FrameBytes may be destroyed on any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "libpeer/runtime/event.h"
#include "libpeer/sessions/fair_shares.h"
#include "libpeer/sessions/remote_account.h"

namespace peer::sessions {

namespace detail {
struct FrameMemoryState {
  FrameMemoryState(runtime::Executor& e, std::size_t bytes) : executor(e), shares(bytes) {}
  static void release(std::shared_ptr<FrameMemoryState> state, const net::SocketAddress& account, std::size_t bytes);

  runtime::Executor& executor;  ///< the sender's
  std::mutex mutex;
  FairShares<net::SocketAddress> shares;  ///< guarded by the mutex
  std::atomic<std::size_t> waiting = 0;
  runtime::Event freed;
};
}  // namespace detail

/// Reserved bytes. The destructor gives them back.
class [[nodiscard]] FrameBytes {
 public:
  FrameBytes() = default;  ///< holds nothing
  FrameBytes(FrameBytes&&) noexcept = default;
  FrameBytes& operator=(FrameBytes&& other) noexcept;
  ~FrameBytes() { give_back(); }

 private:
  friend class FrameMemory;
  FrameBytes(std::shared_ptr<detail::FrameMemoryState> state, const net::SocketAddress& account, std::size_t bytes)
      : state_(std::move(state)), account_(account), bytes_(bytes) {}
  void give_back() noexcept;

  std::shared_ptr<detail::FrameMemoryState> state_;
  net::SocketAddress account_;
  std::size_t bytes_ = 0;
};

class FrameMemory {
 public:
  FrameMemory(runtime::Executor& sender, std::size_t bytes)
      : state_(std::make_shared<detail::FrameMemoryState>(sender, bytes)) {}

  std::optional<FrameBytes> try_reserve(const net::SocketAddress& account, std::size_t bytes);
  /// Waits until the account's share has room. Cancel: throws Cancelled.
  runtime::Task<FrameBytes> reserve(net::SocketAddress account, std::size_t bytes, runtime::CancellationToken token);

 private:
  std::shared_ptr<detail::FrameMemoryState> state_;
};

}  // namespace peer::sessions
