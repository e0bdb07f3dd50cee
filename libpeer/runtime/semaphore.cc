#include "libpeer/runtime/semaphore.h"

#include "libpeer/base/check.h"
#include "libpeer/runtime/defer.h"

namespace peer::runtime {

struct Semaphore::WaitingRequest {
  explicit WaitingRequest(std::uint64_t count) noexcept : units(count) {}
  std::uint64_t units;
  Event granted;
  SemaphoreUnits held;  // once granted; a wait that was cancelled before returns them when it resumes
};

SemaphoreUnits& SemaphoreUnits::operator=(SemaphoreUnits&& other) noexcept {
  if (this == &other) return *this;
  release();
  from_ = std::exchange(other.from_, nullptr);
  count_ = std::exchange(other.count_, 0);
  return *this;
}

void SemaphoreUnits::release() noexcept {
  if (from_ != nullptr) std::exchange(from_, nullptr)->release(std::exchange(count_, 0));
}

Semaphore::~Semaphore() { PEER_CHECK(waiting_.empty() && used_ == 0); }

std::optional<SemaphoreUnits> Semaphore::try_acquire(std::uint64_t units) noexcept {
  if (!waiting_.empty() || !fits(units)) return std::nullopt;
  used_ += units;
  return SemaphoreUnits(this, units);
}

Task<SemaphoreUnits> Semaphore::acquire(std::uint64_t units, CancellationToken token) {
  token.throw_if_requested();
  if (std::optional<SemaphoreUnits> now = try_acquire(units)) co_return std::move(*now);
  WaitingRequest request(units);
  const auto place = waiting_.insert(waiting_.end(), &request);
  const Defer leave([this, &request, place] {
    if (request.granted.is_set()) return;  // grant_waiting() removed it
    waiting_.erase(place);
    grant_waiting();  // a smaller request behind this one may fit
  });
  co_await request.granted.wait(token);
  co_return std::move(request.held);
}

void Semaphore::release(std::uint64_t units) noexcept {
  PEER_CHECK(units <= used_);
  used_ -= units;
  grant_waiting();
}

void Semaphore::grant_waiting() noexcept {
  while (!waiting_.empty() && fits(waiting_.front()->units)) {
    WaitingRequest& first = *waiting_.front();
    waiting_.pop_front();
    used_ += first.units;
    first.held = SemaphoreUnits(this, first.units);
    first.granted.set();
  }
}

}  // namespace peer::runtime
