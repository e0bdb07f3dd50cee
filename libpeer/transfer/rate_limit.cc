#include "libpeer/transfer/rate_limit.h"

#include <algorithm>
#include <chrono>

#include "libpeer/runtime/sleep.h"

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

/// A place in the queue; leaving it, for whatever reason, lets the next one look.
struct RateLimit::Turn {
  explicit Turn(RateLimit& l) : limit(l), place(l.waiting_.insert(l.waiting_.end(), &event)) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    limit.waiting_.erase(place);
    if (!limit.waiting_.empty()) limit.waiting_.front()->set();
  }
  bool is_first() const { return limit.waiting_.front() == &event; }

  RateLimit& limit;
  runtime::Event event;
  std::list<runtime::Event*>::iterator place;
};

void RateLimit::set(std::uint64_t rate) {
  refill();
  const std::uint64_t before = rate_.exchange(rate, std::memory_order_relaxed);
  filled_ = executor_.now();
  // What has passed ahead of time is a time, not a number of bytes.
  tokens_ = before == 0 ? 0 : tokens_ * static_cast<double>(rate) / static_cast<double>(before);
  if (!waiting_.empty()) waiting_.front()->set();
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
  Turn turn(*this);
  while (bytes > 0 && rate() != 0) {
    runtime::Duration wait = runtime::Duration::max();
    if (turn.is_first()) {
      refill();
      const auto rate = static_cast<double>(this->rate());
      if (tokens_ >= 0) {
        const auto quantum = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(rate * kQuantumSeconds));
        const std::uint64_t now = std::min(bytes, quantum);
        tokens_ -= static_cast<double>(now);
        bytes -= now;
        continue;
      }
      wait = std::chrono::duration_cast<runtime::Duration>(std::chrono::duration<double>(-tokens_ / rate)) + 1us;
      waited_.store(ns(executor_.now()), std::memory_order_relaxed);
    }
    turn.event.reset();
    if (wait == runtime::Duration::max()) {
      co_await turn.event.wait(token);
    } else {
      auto changed = [&event = turn.event](runtime::CancellationToken t) { return event.wait(std::move(t)); };
      co_await runtime::with_timeout(executor_, wait, std::move(changed), token);
    }
  }
}

}  // namespace peer::transfer
