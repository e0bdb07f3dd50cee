// ByteBudget: how many bytes of buffers may be in use at once; whoever would exceed it waits, in order.
#pragma once

#include <cstdint>

#include "runtime/event.h"

namespace peer::transfer {

/// Loop: one.
class ByteBudget {
 public:
  explicit ByteBudget(std::uint64_t limit) : limit_(limit) {}
  /// Waits until `bytes` fit (a request above the limit fits an unused budget). Cancel: throws Cancelled, nothing is taken.
  rt::Task<void> acquire(std::uint64_t bytes, rt::CancellationToken token);
  void release(std::uint64_t bytes) noexcept;
  std::uint64_t used() const noexcept { return used_; }

 private:
  std::uint64_t limit_;
  std::uint64_t used_ = 0;
  std::uint64_t serving_ = 0;  // tickets, so that a large request is not overtaken for ever
  std::uint64_t next_ticket_ = 0;
  rt::Event changed_;
};

}  // namespace peer::transfer
