// SpanFetch: fetches one span of chunks over a link. It requests the span, reads it in batches, and has each batch
// verified and written on a worker.
// Loop: net.
#pragma once

#include <atomic>
#include <optional>
#include <vector>

#include "libpeer/net/link.h"
#include "libpeer/transfer/fetch.h"

namespace peer::transfer {

/// The size of a lane's reads: the bytes that arrive in about 50 ms, so that counters and the drop of unwanted spans
/// are at most that late, however slow the sender is.
class ReadSize {
 public:
  std::size_t bytes() const noexcept { return bytes_; }
  /// Adapts to the time that a read took.
  void adapt(runtime::Duration took);

 private:
  std::size_t bytes_ = 16 << 10;
};

class SpanFetch {
 public:
  /// Every argument must outlive the fetch.
  SpanFetch(const SourceJob& job, net::Link& link, Span span, const std::atomic<bool>& unwanted, ReadSize& read_size)
      : job_(job), link_(link), span_(span), unwanted_(unwanted), read_size_(read_size) {}

  /// Returns nothing if the whole span is verified and written, or has become unwanted. Cancel: throws Cancelled.
  runtime::Task<std::optional<SpanFailed>> run(runtime::CancellationToken token);

 private:
  /// Consecutive chunks that are verified and written by one job.
  struct FetchBatch {
    std::uint64_t first;
    std::uint64_t count = 0;
    std::size_t bytes = 0;
  };
  SpanFailed failed(Blame blame, Error error) const;
  /// The failure for a response with another status than 200.
  SpanFailed failed_status(int status) const;
  FetchBatch next_batch(std::uint64_t first) const;
  runtime::Task<std::optional<SpanFailed>> request(runtime::CancellationToken token);
  /// Reads a batch into `buffer_`. Stops and sets `dropped_` if the span has become unwanted.
  runtime::Task<std::optional<SpanFailed>> read(FetchBatch batch, runtime::CancellationToken token);
  runtime::Task<std::optional<SpanFailed>> write(FetchBatch batch, runtime::CancellationToken token);
  /// Finds the cause of a wrong chunk by requesting it from the source again, verified. An honest source whose file has
  /// changed refuses the request. A source that sends wrong bytes again lies.
  runtime::Task<Blame> recheck(std::uint64_t chunk, runtime::CancellationToken token);

  const SourceJob& job_;
  net::Link& link_;
  const Span span_;
  const std::atomic<bool>& unwanted_;
  ReadSize& read_size_;
  std::unique_ptr<net::ClientStream> stream_;
  std::vector<std::uint8_t> buffer_;
  bool dropped_ = false;
};

}  // namespace peer::transfer
