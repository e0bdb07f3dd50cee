// SendBuffers: the buffers of responses, charged to one budget of bytes. A buffer's bytes return to the budget when its
// last reference dies, which may be after the response, its stream and the SendBuffers object have gone.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "libpeer/net/link.h"
#include "libpeer/runtime/semaphore.h"

namespace peer::transfer {

/// Loop: one; also for its buffers.
class SendBuffers {
 public:
  static constexpr std::size_t kBatchBytes = 1 << 20;

  explicit SendBuffers(std::uint64_t limit);

  /// Waits until the budget has room, then returns a buffer of `bytes` bytes with unspecified content. Cancel: throws
  /// Cancelled.
  runtime::Task<std::shared_ptr<std::vector<std::uint8_t>>> acquire(std::size_t bytes,
                                                                    runtime::CancellationToken token);
  std::uint64_t used() const noexcept;

 private:
  struct BufferPool;
  struct SendBuffer;
  std::shared_ptr<BufferPool> pool_;
};

}  // namespace peer::transfer
