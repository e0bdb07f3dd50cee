// SendBuffers: the memory of responses, from one byte budget. It is given back when the last reference dies, which may
// be after the response, its stream and whoever made it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "libpeer/net/link.h"
#include "libpeer/runtime/semaphore.h"

namespace peer::transfer {

/// Loop: one; also for what it gave out.
class SendBuffers {
 public:
  static constexpr std::size_t kBatchBytes = 1 << 20;

  explicit SendBuffers(std::uint64_t limit);

  /// A buffer of that many bytes, of any content. Waits for the budget. Cancel: throws Cancelled.
  runtime::Task<std::shared_ptr<std::vector<std::uint8_t>>> take(std::size_t bytes, runtime::CancellationToken token);
  std::uint64_t used() const noexcept;

 private:
  struct State;
  struct Buffer;
  std::shared_ptr<State> state_;
};

}  // namespace peer::transfer
