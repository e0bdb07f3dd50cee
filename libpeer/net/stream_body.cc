#include "libpeer/net/stream_body.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "libpeer/base/check.h"

namespace peer::net {
namespace {

constexpr std::size_t kBlock = 64 * 1024;

// Clears the pending read's buffer when the wait ends, even on cancellation.
struct PendingRead {
  std::span<std::uint8_t>& into;
  ~PendingRead() { into = {}; }
};

}  // namespace

runtime::Task<Result<std::size_t>> IncomingBody::read(std::span<std::uint8_t> into, runtime::CancellationToken token) {
  PEER_CHECK(into_.empty());
  token.throw_if_requested();
  filled_ = copy_arrived(into);
  if (filled_ < into.size() && !ended_ && !error_) {
    const PendingRead pending{into_};
    into_ = into;
    readable_.reset();
    co_await readable_.wait(token);
  }
  if (filled_ < into.size() && !ended_) co_return std::unexpected(*error_);
  co_return filled_;
}

void IncomingBody::release(std::size_t bytes) {
  PEER_CHECK(bytes <= unreleased_);
  unreleased_ -= bytes;
}

std::size_t IncomingBody::copy_arrived(std::span<std::uint8_t> into) {
  std::size_t done = 0;
  while (done < into.size() && !arrived_.empty()) {
    const std::vector<std::uint8_t>& block = arrived_.front();
    const std::size_t n = std::min(into.size() - done, block.size() - consumed_);
    std::memcpy(into.data() + done, block.data() + consumed_, n);
    done += n;
    consumed_ += n;
    if (consumed_ == block.size()) {
      arrived_.pop_front();
      consumed_ = 0;
    }
  }
  return done;
}

void IncomingBody::append(std::span<const std::uint8_t> data) {
  unreleased_ += data.size();
  if (filled_ < into_.size()) {
    const std::size_t n = std::min(data.size(), into_.size() - filled_);
    std::memcpy(into_.data() + filled_, data.data(), n);
    filled_ += n;
    data = data.subspan(n);
    if (filled_ == into_.size()) readable_.set();
  }
  while (!data.empty()) {
    if (arrived_.empty() || arrived_.back().size() == arrived_.back().capacity())
      arrived_.emplace_back().reserve(kBlock);
    std::vector<std::uint8_t>& block = arrived_.back();
    const std::size_t n = std::min(data.size(), block.capacity() - block.size());
    block.insert(block.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(n));
    data = data.subspan(n);
  }
}

void IncomingBody::end() {
  ended_ = true;
  readable_.set();
}

bool IncomingBody::fail(const Error& error) {
  if (ended_ || error_) return false;
  error_ = error;
  readable_.set();
  return true;
}

bool OutgoingBody::must_wait() {
  if (error_ || unacknowledged_ < kMaxUnackedPerStream) return false;
  writable.reset();
  return true;
}

void OutgoingBody::append(SharedBytes bytes) {
  unacknowledged_ += bytes->size();
  queued_.push_back(std::move(bytes));
}

bool OutgoingBody::finish() noexcept { return !std::exchange(finished_, true); }

void OutgoingBody::acknowledge(std::uint64_t bytes) {
  PEER_CHECK(bytes <= unacknowledged_);
  unacknowledged_ -= bytes;
  acknowledged_ += bytes;
  while (handed_out_ > 0 && acknowledged_ >= queued_.front()->size()) {
    acknowledged_ -= queued_.front()->size();
    queued_.pop_front();
    --handed_out_;
  }
  if (unacknowledged_ < kMaxUnackedPerStream) writable.set();
}

void OutgoingBody::fail(const Error& error) {
  if (error_) return;
  error_ = error;
  writable.set();
}

void OutgoingBody::clear() {
  queued_.clear();
  handed_out_ = 0;
}

}  // namespace peer::net
