#include "libpeer/sessions/frame_memory.h"

#include "libpeer/runtime/defer.h"

namespace peer::sessions {

namespace detail {

void FrameMemoryState::release(std::shared_ptr<FrameMemoryState> state, const net::SocketAddress& account,
                               std::size_t bytes) {
  {
    const std::lock_guard lock(state->mutex);
    state->shares.release(account, bytes);
  }
  // A reader counts itself as waiting before it tries, so either that attempt finds these bytes, or it is found here.
  if (state->waiting.load() == 0) return;
  runtime::Executor& executor = state->executor;
  executor.post([state = std::move(state)] { state->freed.set(); });
}

}  // namespace detail

FrameBytes& FrameBytes::operator=(FrameBytes&& other) noexcept {
  if (this == &other) return *this;
  give_back();
  state_ = std::move(other.state_);
  account_ = other.account_;
  bytes_ = other.bytes_;
  return *this;
}

void FrameBytes::give_back() noexcept {
  if (state_) detail::FrameMemoryState::release(std::exchange(state_, nullptr), account_, bytes_);
}

std::optional<FrameBytes> FrameMemory::try_reserve(const net::SocketAddress& account, std::size_t bytes) {
  const std::lock_guard lock(state_->mutex);
  if (!state_->shares.try_acquire(account, bytes)) return std::nullopt;
  return FrameBytes(state_, account, bytes);
}

runtime::Task<FrameBytes> FrameMemory::reserve(net::SocketAddress account, std::size_t bytes,
                                               runtime::CancellationToken token) {
  const std::shared_ptr<detail::FrameMemoryState> state = state_;
  state->waiting.fetch_add(1);
  const runtime::Defer waited([&] { state->waiting.fetch_sub(1); });
  for (;;) {
    state->freed.reset();
    if (auto reserved = try_reserve(account, bytes)) co_return std::move(*reserved);
    co_await state->freed.wait(token);
  }
}

}  // namespace peer::sessions
