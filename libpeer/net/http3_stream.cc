#include "libpeer/net/http3_stream.h"

#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/net/connection.h"

namespace peer::net {

runtime::Task<Result<std::size_t>> Http3Stream::read(std::span<std::uint8_t> into, runtime::CancellationToken token) {
  return incoming_.read(into, std::move(token));
}

void Http3Stream::release(std::size_t bytes) {
  if (connection_ == nullptr) return;
  incoming_.release(bytes);
  connection_->credit(*this, bytes);
}

runtime::Task<Result<void>> Http3Stream::write(SharedBytes bytes, runtime::CancellationToken token) {
  PEER_CHECK(has_body && !outgoing_.finished());
  token.throw_if_requested();
  while (outgoing_.must_wait()) co_await outgoing_.writable.wait(token);
  if (outgoing_.error()) co_return std::unexpected(*outgoing_.error());
  if (!bytes->empty()) {
    outgoing_.append(std::move(bytes));
    connection_->resume(*this);
  }
  co_return Result<void>{};
}

void Http3Stream::finish() {
  if (!outgoing_.finish()) return;
  if (connection_ != nullptr && open_ && has_body) connection_->resume(*this);
}

runtime::Task<Result<ResponseHead>> Http3Stream::response(runtime::CancellationToken token) {
  co_await head_.wait(token);
  if (!headed_) co_return std::unexpected(*incoming_.error());
  co_return std::move(answer);
}

Result<void> Http3Stream::respond(const ResponseHead& head, bool body) {
  PEER_CHECK(!std::exchange(answering, true));
  if (outgoing_.error()) return std::unexpected(*outgoing_.error());
  has_body = body;
  if (!body) outgoing_.finish();
  return connection_->respond(*this, head);
}

void Http3Stream::admit(bool& admitted) {
  admitted = true;
  if (connection_ != nullptr) connection_->admit();
}

void Http3Stream::grow_window() {
  if (connection_ != nullptr && !std::exchange(window_grown, true)) connection_->grow_window(*this);
}

void Http3Stream::abandon() {
  held_ = false;
  if (connection_ == nullptr) return;
  Connection& connection = *connection_;
  connection.abandoned(*this);  // may destroy this
}

void Http3Stream::head_arrived() {
  headed_ = true;
  head_.set();
}

void Http3Stream::fail_reading(const Error& error) {
  if (incoming_.fail(error)) head_.set();
}

void Http3Stream::closed(const Error& why) {
  open_ = false;
  outgoing_.clear();
  fail_reading(why);
  outgoing_.fail(why);
}

void Http3Stream::detach(const Error& why) {
  connection_ = nullptr;
  closed(why);
  if (stop) stop->request();
}

}  // namespace peer::net
