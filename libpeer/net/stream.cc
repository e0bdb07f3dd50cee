#include "libpeer/net/stream.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/net/connection.h"

namespace peer::net {
namespace {

constexpr std::size_t kBlock = 64 * 1024;

// Withdraws a waiting read's buffer however the wait ends.
struct Waiting {
  std::span<std::uint8_t>& into;
  ~Waiting() { into = {}; }
};

}  // namespace

runtime::Task<Result<std::size_t>> Stream::read(std::span<std::uint8_t> into, runtime::CancellationToken token) {
  PEER_CHECK(into_.empty());
  token.throw_if_requested();
  filled_ = take(into);
  if (filled_ < into.size() && !ended_ && !read_error_) {
    const Waiting waiting{into_};
    into_ = into;
    readable_.reset();
    co_await readable_.wait(token);
  }
  if (filled_ < into.size() && !ended_) co_return std::unexpected(*read_error_);
  co_return filled_;
}

void Stream::release(std::size_t bytes) {
  if (connection_ == nullptr) return;
  PEER_CHECK(bytes <= unreleased_);
  unreleased_ -= bytes;
  connection_->credit(*this, bytes);
}

runtime::Task<Result<void>> Stream::write(SharedBytes bytes, runtime::CancellationToken token) {
  PEER_CHECK(has_body && !finished_);
  token.throw_if_requested();
  while (!write_error_ && unacknowledged_ >= kMaxUnackedPerStream) {
    writable_.reset();
    co_await writable_.wait(token);
  }
  if (write_error_) co_return std::unexpected(*write_error_);
  if (!bytes->empty()) {
    unacknowledged_ += bytes->size();
    leaving_.push_back(std::move(bytes));
    connection_->resume(*this);
  }
  co_return Result<void>{};
}

void Stream::finish() {
  if (std::exchange(finished_, true)) return;
  if (connection_ != nullptr && open_ && has_body) connection_->resume(*this);
}

runtime::Task<Result<ResponseHead>> Stream::response(runtime::CancellationToken token) {
  co_await head_.wait(token);
  if (!headed_) co_return std::unexpected(*read_error_);
  co_return std::move(answer);
}

Result<void> Stream::respond(const ResponseHead& head, bool body) {
  PEER_CHECK(!std::exchange(answering, true));
  if (write_error_) return std::unexpected(*write_error_);
  has_body = body;
  if (!body) finished_ = true;
  return connection_->respond(*this, head);
}

void Stream::abandon() {
  held_ = false;
  if (connection_ == nullptr) return;
  Connection& connection = *connection_;
  connection.abandoned(*this, ended_, finished_);  // may destroy this
}

std::size_t Stream::take(std::span<std::uint8_t> into) {
  std::size_t done = 0;
  while (done < into.size() && !arrived_.empty()) {
    const std::vector<std::uint8_t>& block = arrived_.front();
    const std::size_t n = std::min(into.size() - done, block.size() - taken_);
    std::memcpy(into.data() + done, block.data() + taken_, n);
    done += n;
    taken_ += n;
    if (taken_ == block.size()) {
      arrived_.pop_front();
      taken_ = 0;
    }
  }
  return done;
}

void Stream::body_arrived(std::span<const std::uint8_t> data) {
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

void Stream::body_ended() {
  ended_ = true;
  readable_.set();
}

void Stream::read_failed(const Error& error) {
  if (ended_ || read_error_) return;
  read_error_ = error;
  head_.set();
  readable_.set();
}

void Stream::write_failed(const Error& error) {
  if (write_error_) return;
  write_error_ = error;
  writable_.set();
}

void Stream::acknowledged(std::uint64_t bytes) {
  PEER_CHECK(bytes <= unacknowledged_);
  unacknowledged_ -= bytes;
  acknowledged_ += bytes;
  while (given_ > 0 && acknowledged_ >= leaving_.front()->size()) {
    acknowledged_ -= leaving_.front()->size();
    leaving_.pop_front();
    --given_;
  }
  if (unacknowledged_ < kMaxUnackedPerStream) writable_.set();
}

void Stream::closed(const Error& why) {
  open_ = false;
  leaving_.clear();
  given_ = 0;
  read_failed(why);
  write_failed(why);
}

void Stream::detach(const Error& why) {
  connection_ = nullptr;
  closed(why);
  if (stop) stop->request();
}

}  // namespace peer::net
