#include "libpeer/transfer/rate_limit.h"

#include <algorithm>
#include <chrono>

namespace peer::transfer {

using namespace std::chrono_literals;

namespace {
constexpr double kBucketSeconds = 0.04;
constexpr double kQuantumSeconds = 0.01;
constexpr std::uint64_t kSmallestPiece = 2048;
constexpr runtime::Duration kRecently = 500ms;

double seconds(runtime::Duration time) { return std::chrono::duration<double>(time).count(); }

std::int64_t ns(runtime::TimePoint time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}
}  // namespace

void RateLimit::set(std::uint64_t rate) {
  refill();
  const std::uint64_t before = rate_.exchange(rate, std::memory_order_relaxed);
  filled_ = executor_.now();
  // Bytes passed in advance stand for a waiting time, which the new rate must not change.
  tokens_ = before == 0 ? 0 : tokens_ * static_cast<double>(rate) / static_cast<double>(before);
  rate_changed_.set();
}

bool RateLimit::binding(runtime::TimePoint now) const noexcept {
  const std::int64_t waited = waited_.load(std::memory_order_relaxed);
  return rate() != 0 && waited != INT64_MIN && ns(now) - waited < std::chrono::nanoseconds(kRecently).count();
}

std::uint64_t RateLimit::piece(std::uint64_t most) const noexcept {
  if (rate() == 0) return most;
  return std::min(most,
                  std::max(kSmallestPiece, static_cast<std::uint64_t>(static_cast<double>(rate()) * kQuantumSeconds)));
}

void RateLimit::refill() noexcept {
  const runtime::TimePoint now = executor_.now();
  const auto rate = static_cast<double>(this->rate());
  tokens_ = std::min(rate * kBucketSeconds, tokens_ + rate * seconds(now - filled_));
  filled_ = now;
}

runtime::Task<void> RateLimit::pass(std::uint64_t bytes, runtime::CancellationToken token) {
  token.throw_if_requested();
  if (rate() == 0) co_return;
  const runtime::SemaphoreUnits turn = co_await turn_.acquire(1, token);
  while (bytes > 0 && this->rate() != 0) {
    refill();
    const auto rate = static_cast<double>(this->rate());
    if (tokens_ >= 0) {
      const auto quantum = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(rate * kQuantumSeconds));
      const std::uint64_t now = std::min(bytes, quantum);
      tokens_ -= static_cast<double>(now);
      bytes -= now;
      continue;
    }
    const auto wait =
        std::chrono::duration_cast<runtime::Duration>(std::chrono::duration<double>(-tokens_ / rate)) + 1us;
    waited_.store(ns(executor_.now()), std::memory_order_relaxed);
    rate_changed_.reset();
    co_await rate_changed_.wait_for(executor_, wait, token);
  }
}

}  // namespace peer::transfer
