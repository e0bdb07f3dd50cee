// SendBuffers: the buffers of responses, charged to the connections that they are for. A buffer's bytes return to the
// budget when its last reference dies, which may be after the response, its stream and the SendBuffers object.
//
// Loop: one; also for its buffers.
// Limits: protocol::kSendMemory bytes in all, shared as FairBudget says. A response that acknowledges nothing holds one
// buffer; its first ones are small and grow with the speed of its connection.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "libpeer/net/link.h"
#include "libpeer/protocol/limits.h"
#include "libpeer/runtime/executor.h"
#include "libpeer/transfer/fair_budget.h"

namespace peer::transfer {

class SendBuffers {
 public:
  static constexpr std::size_t kBatchBytes = 1 << 20;

  /// One response: its buffers that are not acknowledged yet.
  class ResponseFlow;
  using Buffer = std::shared_ptr<std::vector<std::uint8_t>>;

  /// The executor must outlive the buffers.
  SendBuffers(runtime::Executor& executor, std::uint64_t limit);

  /// `ask` tells whether requests wait for other memory that responses hold.
  void set_others_wait(std::function<bool()> ask) { others_wait_ = std::move(ask); }

  std::shared_ptr<ResponseFlow> begin(const net::ServerStream& stream);
  /// How many bytes the connection soon sends: the size of the next buffer.
  static std::size_t batch(const ResponseFlow& flow);
  /// Waits until the response has sent enough of its earlier buffers, and for memory. Returns a buffer of `least` to
  /// `most` bytes with unspecified content; null if the other side has read nothing for kSendProgressDeadline while
  /// other responses wait for memory: reset the stream. Cancel: throws Cancelled.
  runtime::Task<Buffer> acquire(std::shared_ptr<ResponseFlow> flow, std::size_t least, std::size_t most,
                                runtime::CancellationToken token);
  /// Waits until every buffer of the response is acknowledged. False: as null for acquire().
  runtime::Task<bool> drain(std::shared_ptr<ResponseFlow> flow, runtime::CancellationToken token);
  std::uint64_t used() const noexcept;

 private:
  struct BufferPool;
  struct SendBuffer;
  struct SendPace;
  /// Waits until the flow makes progress. False: as null for acquire().
  runtime::Task<bool> wait_for_progress(ResponseFlow& flow, runtime::CancellationToken token);

  runtime::Executor& executor_;
  FairBudget budget_;
  std::function<bool()> others_wait_ = [] { return false; };
  std::shared_ptr<BufferPool> pool_;
};

}  // namespace peer::transfer
