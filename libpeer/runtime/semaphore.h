// Semaphore: a number of units that coroutines share, granted in the order of the requests.
//
// It bounds what may happen at once (jobs, buffers, bytes in memory). A counter and an Event do not suffice: a large
// request would be overtaken by small ones indefinitely, and a unit would leak whenever its holder fails or is
// cancelled.
//
// 1. Requests are granted strictly in order. The first that does not fit holds back those behind it.
// 2. A request for more units than the semaphore has is granted once all units are free, and holds them all.
// 3. Units return when their SemaphoreUnits is released or destroyed.
// Loop: one. Owns: the semaphore must outlive its units and its waiters.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <utility>

#include "libpeer/runtime/event.h"

namespace peer::runtime {

class Semaphore;

/// Units held; they return when this is released, assigned to or destroyed.
class [[nodiscard]] SemaphoreUnits {
 public:
  /// Holds nothing.
  SemaphoreUnits() = default;
  SemaphoreUnits(SemaphoreUnits&& other) noexcept
      : from_(std::exchange(other.from_, nullptr)), count_(std::exchange(other.count_, 0)) {}
  SemaphoreUnits& operator=(SemaphoreUnits&& other) noexcept;
  ~SemaphoreUnits() { release(); }

  void release() noexcept;

 private:
  friend class Semaphore;
  SemaphoreUnits(Semaphore* from, std::uint64_t count) noexcept : from_(from), count_(count) {}
  Semaphore* from_ = nullptr;
  std::uint64_t count_ = 0;
};

class Semaphore {
 public:
  explicit Semaphore(std::uint64_t units) : limit_(units) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;
  ~Semaphore();

  /// Waits for `units`. Cancel: throws Cancelled and holds nothing; a request that was granted before is not cancelled.
  Task<SemaphoreUnits> acquire(std::uint64_t units, CancellationToken token);
  /// Units that can be granted now; nothing if they do not fit or others wait.
  std::optional<SemaphoreUnits> try_acquire(std::uint64_t units) noexcept;

  std::uint64_t used() const noexcept { return used_; }
  /// No unit is free.
  bool exhausted() const noexcept { return used_ >= limit_; }

 private:
  friend class SemaphoreUnits;
  struct WaitingRequest;
  bool fits(std::uint64_t units) const noexcept { return used_ == 0 || (used_ <= limit_ && units <= limit_ - used_); }
  void release(std::uint64_t units) noexcept;
  void grant_waiting() noexcept;

  const std::uint64_t limit_;
  std::uint64_t used_ = 0;  ///< above limit_ while a request larger than it is granted
  std::list<WaitingRequest*> waiting_;
};

}  // namespace peer::runtime
