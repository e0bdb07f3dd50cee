#include "libpeer/transfer/span_fetch.h"

#include <algorithm>
#include <utility>

#include "libpeer/protocol/routes.h"

namespace peer::transfer {

namespace {

constexpr std::size_t kLargestRead = 128 << 10;
constexpr std::size_t kSmallestRead = 2 << 10;
constexpr std::uint64_t kBatchBytes = 1 << 20;

struct WriteOutcome {
  Result<void> result;
  std::uint64_t written = 0;  ///< chunks
};

std::uint64_t ns_since(runtime::Executor& executor, runtime::TimePoint begin) {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(executor.now() - begin).count());
}

}  // namespace

void ReadSize::adapt(runtime::Duration took) {
  constexpr runtime::Duration kAim = std::chrono::milliseconds(50);
  if (took > 2 * kAim) {
    bytes_ = std::max(kSmallestRead,
                      bytes_ * static_cast<std::size_t>(kAim.count()) / static_cast<std::size_t>(took.count()));
  } else if (took < kAim / 2) {
    bytes_ = std::min(kLargestRead, bytes_ * 2);
  }
}

SpanFailed SpanFetch::failed(Blame blame, Error error) const {
  return SpanFailed{job_.peer.id, span_, blame, std::move(error)};
}

SpanFailed SpanFetch::failed_status(int status) const {
  const bool gone = status == protocol::HttpStatus::not_found || status == protocol::HttpStatus::gone ||
                    status == protocol::HttpStatus::forbidden;
  const ErrorCode code = gone ? ErrorCode::unavailable : ErrorCode::unreachable;
  Blame blame = gone ? Blame::missing : Blame::network;
  if (status == protocol::HttpStatus::gone) blame = Blame::hole;
  return failed(
      blame,
      Error{code, job_.peer.name + " answered " + std::to_string(status) + " to a request for chunks of " + job_.game,
            0});
}

SpanFetch::FetchBatch SpanFetch::next_batch(std::uint64_t first) const {
  FetchBatch batch{first};
  while (batch.first + batch.count < span_.first + span_.count) {
    const auto chunk = static_cast<std::size_t>(batch.first + batch.count);
    const std::uint32_t size = job_.document->manifest.place(chunk).size;
    if (batch.count > 0 && batch.bytes + size > kBatchBytes) break;
    batch.bytes += size;
    ++batch.count;
  }
  return batch;
}

runtime::Task<std::optional<SpanFailed>> SpanFetch::request(runtime::CancellationToken token) {
  net::RequestHead head;
  head.method = "GET";
  head.path = protocol::format_route(protocol::ChunksRoute{job_.game, job_.version, span_.first, span_.count});
  auto opened = co_await link_.request(head, false, token);
  if (!opened) co_return failed(Blame::network, opened.error());
  stream_ = std::move(*opened);
  const auto response = co_await stream_->response(token);
  if (!response) co_return failed(Blame::network, response.error());
  if (response->status != protocol::HttpStatus::ok) co_return failed_status(response->status);
  if (response->content_length && *response->content_length != span_.bytes) {
    co_return failed(Blame::content, Error{ErrorCode::invalid,
                                           job_.peer.name + " announced " + std::to_string(*response->content_length) +
                                               " bytes, expected " + std::to_string(span_.bytes),
                                           0});
  }
  const bool held_back = std::ranges::any_of(response->fields, [](const net::Field& field) {
    return field.name == protocol::kLimitedField && field.value == protocol::kLimitedTrue;
  });
  job_.meters->held_back.store(held_back, std::memory_order_relaxed);
  co_return std::nullopt;
}

runtime::Task<std::optional<SpanFailed>> SpanFetch::read(FetchBatch batch, runtime::CancellationToken token) {
  runtime::Executor& executor = job_.net->executor();
  buffer_.resize(batch.bytes);
  for (std::size_t done = 0; done < batch.bytes;) {
    std::size_t want = std::min(read_size_.bytes(), batch.bytes - done);
    if (job_.down != nullptr) {
      want = static_cast<std::size_t>(job_.down->piece(want));
      co_await job_.down->pass(want, token);
    }
    dropped_ = unwanted_.load(std::memory_order_relaxed);
    if (dropped_) co_return std::nullopt;
    const runtime::TimePoint begin = executor.now();
    const auto got = co_await stream_->reader().read(std::span(buffer_).subspan(done, want), token);
    if (!got) co_return failed(Blame::network, got.error());
    read_size_.adapt(executor.now() - begin);
    job_.meters->reading_ns.fetch_add(ns_since(executor, begin), std::memory_order_relaxed);
    job_.meters->received.fetch_add(*got, std::memory_order_relaxed);
    done += *got;
    if (*got < want) {
      co_return failed(Blame::network,
                       Error{ErrorCode::unreachable, job_.peer.name + " ended a response before its last byte", 0});
    }
  }
  co_return std::nullopt;
}

runtime::Task<std::optional<SpanFailed>> SpanFetch::write(FetchBatch batch, runtime::CancellationToken token) {
  auto job = [staging = job_.staging, batch, bytes = std::span<const std::uint8_t>(buffer_)](const runtime::StopFlag&) {
    WriteOutcome outcome;
    outcome.result = staging->write(staging::ChunkBatch{batch.first, batch.count, bytes}, outcome.written);
    return outcome;
  };
  runtime::Executor& executor = job_.net->executor();
  const runtime::TimePoint begin = executor.now();
  const WriteOutcome outcome = co_await runtime::offload(*job_.workers, std::move(job), token);
  job_.meters->writing_ns.fetch_add(ns_since(executor, begin), std::memory_order_relaxed);
  stream_->reader().release(batch.bytes);
  if (outcome.written > 0) job_.reports.send_urgent(SpanProgress{job_.peer.id, batch.first, outcome.written});
  if (outcome.result) co_return std::nullopt;
  Blame blame = Blame::local;
  if (outcome.result.error().code == ErrorCode::invalid) {
    blame = co_await recheck(batch.first + outcome.written, token);
  }
  co_return failed(blame, outcome.result.error());
}

runtime::Task<Blame> SpanFetch::recheck(std::uint64_t chunk, runtime::CancellationToken token) {
  net::RequestHead head;
  head.method = "GET";
  head.path = protocol::format_route(protocol::ChunksRoute{job_.game, job_.version, chunk, 1});
  head.fields.push_back({std::string(protocol::kVerifyField), std::string(protocol::kVerifyTrue)});
  const auto opened = co_await link_.request(head, false, token);
  if (!opened) co_return Blame::content;
  const auto response = co_await (*opened)->response(token);
  if (!response || response->status != protocol::HttpStatus::ok) co_return Blame::content;
  std::vector<std::uint8_t> bytes(job_.document->manifest.place(static_cast<std::size_t>(chunk)).size);
  const auto got = co_await (*opened)->reader().read(bytes, token);
  if (!got || *got != bytes.size()) co_return Blame::content;
  auto check = [&bytes, expected = job_.document->manifest.chunks[chunk]](const runtime::StopFlag&) {
    return protocol::hash(bytes) == expected;
  };
  const bool right = co_await runtime::offload(*job_.workers, std::move(check), token);
  co_return right ? Blame::content : Blame::lie;
}

runtime::Task<std::optional<SpanFailed>> SpanFetch::run(runtime::CancellationToken token) {
  std::optional<SpanFailed> failure = co_await request(token);
  if (failure) co_return failure;
  const std::uint64_t end = span_.first + span_.count;
  for (std::uint64_t chunk = span_.first; chunk < end;) {
    const FetchBatch batch = next_batch(chunk);
    failure = co_await read(batch, token);
    if (failure || dropped_) co_return failure;
    failure = co_await write(batch, token);
    if (failure) co_return failure;
    chunk += batch.count;
  }
  co_return std::nullopt;
}

}  // namespace peer::transfer
