// ByteBudget: how many bytes of buffers may be in use at once; whoever would exceed it waits, in order.
#pragma once

#include <cstdint>
#include <list>

#include "libpeer/runtime/event.h"

namespace peer::transfer {

/// Loop: one.
class ByteBudget {
 public:
  explicit ByteBudget(std::uint64_t limit) : limit_(limit) {}
  ByteBudget(const ByteBudget&) = delete;
  ByteBudget& operator=(const ByteBudget&) = delete;

  /// Waits until `bytes` fit (a request above the limit fits an unused budget). Cancel: throws Cancelled, nothing is
  /// taken.
  runtime::Task<void> acquire(std::uint64_t bytes, runtime::CancellationToken token);
  void release(std::uint64_t bytes) noexcept;
  std::uint64_t used() const noexcept { return used_; }

 private:
  struct Turn;
  bool fits(std::uint64_t bytes) const noexcept { return used_ == 0 || (used_ <= limit_ && bytes <= limit_ - used_); }

  std::uint64_t limit_;
  std::uint64_t used_ = 0;
  std::list<runtime::Event*>
      waiting_;  // only the first is ever woken, so that a large request is not overtaken for ever
};

}  // namespace peer::transfer
