// IncomingBody and OutgoingBody: the two directions of a stream's body, as buffers between its user and HTTP/3.
//
// Loop: the connection's. The functions for HTTP/3 may be called inside its callbacks: they copy and set events, and
// make no calls back.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "libpeer/net/link.h"
#include "libpeer/runtime/cancellation.h"
#include "libpeer/runtime/event.h"

namespace peer::net {

/// Bytes that have arrived and were not read yet.
class IncomingBody {
 public:
  /// See BodyReader::read().
  runtime::Task<Result<std::size_t>> read(std::span<std::uint8_t> into, runtime::CancellationToken token);
  /// The user has processed `bytes` bytes that it read.
  void release(std::size_t bytes);

  // For HTTP/3.
  void append(std::span<const std::uint8_t> data);
  void end();
  /// Does nothing after the end or after another failure. Returns whether it took effect.
  bool fail(const Error& error);

  bool ended() const noexcept { return ended_; }
  const std::optional<Error>& error() const noexcept { return error_; }
  /// Bytes that arrived and for which the sender has no credit yet.
  std::uint64_t unreleased() const noexcept { return unreleased_; }

 private:
  std::size_t copy_arrived(std::span<std::uint8_t> into);

  std::span<std::uint8_t> into_;  // the buffer of the pending read
  std::size_t filled_ = 0;
  std::deque<std::vector<std::uint8_t>> arrived_;
  std::size_t consumed_ = 0;  // bytes of the first block that were read
  std::uint64_t unreleased_ = 0;
  bool ended_ = false;
  std::optional<Error> error_;
  runtime::Event readable_;
};

/// Bytes to send, until they are acknowledged.
class OutgoingBody {
 public:
  /// Whether a writer must wait for `writable`; resets that event if so.
  bool must_wait();
  void append(SharedBytes bytes);
  /// Returns false if it was finished before.
  bool finish() noexcept;
  bool finished() const noexcept { return finished_; }

  // For HTTP/3. Fills up to `count` vectors with bytes that no earlier call returned. They stay until acknowledged or
  // clear().
  template <class Vector>
  std::size_t hand_out(Vector* vectors, std::size_t count);
  bool all_handed_out() const noexcept { return handed_out_ == queued_.size(); }
  void acknowledge(std::uint64_t bytes);
  void fail(const Error& error);
  void clear();
  const std::optional<Error>& error() const noexcept { return error_; }

  runtime::Event writable;  ///< there is room for more, or it failed

 private:
  std::deque<SharedBytes> queued_;
  std::size_t handed_out_ = 0;    // elements of queued_
  std::size_t acknowledged_ = 0;  // bytes of the first element that were acknowledged
  std::size_t unacknowledged_ = 0;
  bool finished_ = false;
  std::optional<Error> error_;
};

template <class Vector>
std::size_t OutgoingBody::hand_out(Vector* vectors, std::size_t count) {
  std::size_t n = 0;
  for (; n < count && handed_out_ < queued_.size(); ++n, ++handed_out_) {
    const std::vector<std::uint8_t>& bytes = *queued_[handed_out_];
    vectors[n].base = const_cast<std::uint8_t*>(bytes.data());  // nghttp3 only reads
    vectors[n].len = bytes.size();
  }
  return n;
}

}  // namespace peer::net
