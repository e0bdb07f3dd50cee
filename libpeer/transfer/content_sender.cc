#include "libpeer/transfer/content_sender.h"

#include <algorithm>
#include <utility>

#include "libpeer/transfer/responses.h"

namespace peer::transfer {

namespace {
/// With a shorter reading time in the latest spans, the speed of the disk cannot be judged.
constexpr runtime::Duration kMeasurable = std::chrono::milliseconds(500);
}  // namespace

ContentSender::ContentSender(runtime::Executor& executor, runtime::Workers& workers, Log log)
    : executor_(executor), workers_(workers), log_(std::move(log)), buffers_(executor, protocol::kSendMemory) {}

bool ContentSender::holds_back() const {
  // After a pause it is unknown what will hold back the sending. Assume the limit; the next span corrects it.
  const bool rested = executor_.now() - last_sent_ > kMeasurable;
  if (limit_ != nullptr && limit_->rate() != 0 && (rested || limit_->binding(executor_.now()))) return true;
  return reading_ > 2 * waiting_ && reading_ > kMeasurable;
}

void ContentSender::count_sent(const std::optional<PeerId>& peer, std::uint64_t bytes) {
  sent_.bytes += bytes;
  if (peer && (sent_.by_peer.contains(*peer) || sent_.by_peer.size() < kCountedPeers)) sent_.by_peer[*peer] += bytes;
}

runtime::Task<Result<void>> ContentSender::read_batch(GameBytes& bytes, std::span<std::uint8_t> into,
                                                      runtime::CancellationToken token) {
  auto read = [&bytes, into](const runtime::StopFlag&) -> Result<void> {
    if (Result<void> filled = bytes.reader->fill(bytes.from, into); !filled) return filled;
    if (!bytes.hash || protocol::hash(into) == *bytes.hash) return {};
    return fail(ErrorCode::invalid, "a chunk no longer has the hash that the manifest gives");
  };
  const runtime::TimePoint begun = executor_.now();
  Result<void> filled = co_await runtime::offload(workers_, std::move(read), token);
  reading_ += executor_.now() - begun;
  co_return filled;
}

protocol::HttpStatus ContentSender::note_failure(const GameBytes& bytes, const Error& error) {
  if (error.code != ErrorCode::not_found) {
    log_.game(bytes.game).warn("cannot send " + bytes.game + ": " + error.message);
  }
  if (error.code != ErrorCode::invalid) return status_of(error);
  if (!bytes.staged && on_changed_) on_changed_(bytes.game);
  return protocol::HttpStatus::gone;
}

runtime::Task<SendBuffers::Buffer> ContentSender::next_buffer(const Flow& flow, const GameBytes& bytes,
                                                              std::uint64_t length, runtime::CancellationToken token) {
  if (bytes.hash) {  // a chunk to verify is read whole
    const auto whole = static_cast<std::size_t>(length);
    co_return co_await buffers_.acquire(flow, whole, whole, token);
  }
  std::uint64_t most = std::min<std::uint64_t>(length, SendBuffers::batch(*flow));
  if (limit_ != nullptr) most = limit_->piece(most);
  const auto count = static_cast<std::size_t>(most);
  const runtime::TimePoint begun = executor_.now();
  SendBuffers::Buffer buffer =
      co_await buffers_.acquire(flow, std::min(count, protocol::kFirstSendBytes), count, token);
  waiting_ += executor_.now() - begun;
  co_return buffer;
}

runtime::Task<void> ContentSender::finish(net::ServerStream& stream, const Flow& flow,
                                          runtime::CancellationToken token) {
  stream.writer().finish();
  if (!co_await buffers_.drain(flow, token)) stream.reset();
}

runtime::Task<void> ContentSender::send(net::ServerStream& stream, net::ResponseHead head, GameBytes bytes,
                                        runtime::CancellationToken token) {
  std::uint64_t length = bytes.length;
  reading_ = reading_ * 7 / 8;
  waiting_ = waiting_ * 7 / 8;
  head.content_length = length;
  if (length == 0 || stream.request().method == "HEAD") {
    static_cast<void>(stream.respond(head, false));  // fails only if the stream is gone
    co_return;
  }
  const Flow flow = buffers_.begin(stream);
  bool responded = false;
  while (length > 0) {
    SendBuffers::Buffer buffer = co_await next_buffer(flow, bytes, length, token);
    if (!buffer) co_return;
    const std::size_t count = buffer->size();
    const Result<void> filled = co_await read_batch(bytes, *buffer, token);
    if (!filled) {
      const protocol::HttpStatus status = note_failure(bytes, filled.error());
      // After the head, leave the stream unfinished, which resets it.
      if (!responded) co_await send_error(stream, status, filled.error(), token);
      co_return;
    }
    if (!responded) {
      if (const Result<void> sent = stream.respond(head, true); !sent) co_return;
      responded = true;
    }
    if (tamper_) tamper_(*buffer);
    if (limit_ != nullptr) co_await limit_->pass(count, token);
    if (still_served_ && !still_served_(stream)) co_return;
    const runtime::TimePoint ready = executor_.now();
    const Result<void> written = co_await stream.writer().write(std::move(buffer), token);
    waiting_ += executor_.now() - ready;
    if (!written) co_return;
    count_sent(stream.peer(), count);
    last_sent_ = executor_.now();
    length -= count;
  }
  co_await finish(stream, flow, token);
}

runtime::Task<void> ContentSender::send(net::ServerStream& stream, net::ResponseHead head, net::SharedBytes document,
                                        runtime::CancellationToken token) {
  if (document->size() <= protocol::kFirstSendBytes / 4 || stream.request().method == "HEAD") {
    co_await send_body(stream, std::move(head), std::move(document), token);
    co_return;
  }
  head.content_length = document->size();
  if (const Result<void> sent = stream.respond(head, true); !sent) co_return;
  const Flow flow = buffers_.begin(stream);
  for (std::size_t done = 0; done < document->size();) {
    const std::size_t most = std::min(document->size() - done, SendBuffers::batch(*flow));
    SendBuffers::Buffer buffer =
        co_await buffers_.acquire(flow, std::min(most, protocol::kFirstSendBytes), most, token);
    if (!buffer) co_return;
    std::ranges::copy(std::span(*document).subspan(done, buffer->size()), buffer->begin());
    done += buffer->size();
    const Result<void> written = co_await stream.writer().write(std::move(buffer), token);
    if (!written) co_return;
  }
  document.reset();
  co_await finish(stream, flow, token);
}

}  // namespace peer::transfer
