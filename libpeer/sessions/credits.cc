#include "libpeer/sessions/credits.h"

#include "libpeer/runtime/defer.h"

namespace peer::sessions {

namespace detail {

bool CreditState::try_acquire() noexcept {
  std::size_t left = free.load();
  while (left > 0) {
    if (free.compare_exchange_weak(left, left - 1)) return true;
  }
  return false;
}

void CreditState::release(std::shared_ptr<CreditState> state) {
  state->free.fetch_add(1);
  // A sender counts itself as waiting before it makes its last attempt. Either that attempt gets this credit, or this
  // function finds the sender waiting.
  if (state->waiting.load() == 0) return;
  runtime::Executor& executor = state->executor;
  executor.post([state = std::move(state)] { state->freed.set(); });
}

}  // namespace detail

std::optional<Credit> CreditPool::try_acquire() {
  if (!state_->try_acquire()) return std::nullopt;
  return Credit(state_);
}

runtime::Task<Credit> CreditPool::acquire(runtime::CancellationToken token) {
  const std::shared_ptr<detail::CreditState> state = state_;
  state->waiting.fetch_add(1);
  const runtime::Defer waited([&] { state->waiting.fetch_sub(1); });
  const auto acquired = [&] { return state->try_acquire(); };
  co_await state->freed.wait_until(acquired, token);
  co_return Credit(state);
}

}  // namespace peer::sessions
