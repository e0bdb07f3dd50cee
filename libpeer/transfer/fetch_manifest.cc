#include "libpeer/transfer/fetch_manifest.h"

#include <algorithm>
#include <utility>

#include "libpeer/protocol/routes.h"
#include "libpeer/runtime/sleep.h"

namespace peer::transfer {

namespace {
constexpr std::size_t kFirstBytes = 1 << 20;  // allocated before any byte arrives
/// A source has kManifestSilence for each piece.
constexpr auto kPiece = static_cast<std::size_t>(protocol::kManifestRate * protocol::kManifestSilence.count());

Error silent(const ManifestJob& job) {
  return {ErrorCode::unreachable, job.peer.name + " did not send the manifest of " + job.game + " in time", 0};
}

runtime::Task<Result<net::ResponseHead>> wait_for_head(const ManifestJob& job, net::ClientStream& stream,
                                                       runtime::CancellationToken token) {
  auto wait = [&stream](runtime::CancellationToken t) { return stream.response(std::move(t)); };
  auto response =
      co_await runtime::with_timeout(job.net->executor(), protocol::kManifestSilence, std::move(wait), token);
  if (!response) co_return std::unexpected(silent(job));
  co_return std::move(*response);
}

/// Reads a body of `length` bytes. The buffer grows as bytes arrive, so that a peer cannot make this one allocate by a
/// length alone.
runtime::Task<Result<std::vector<std::uint8_t>>> read_body(const ManifestJob& job, net::ClientStream& stream,
                                                           std::size_t length, runtime::CancellationToken token) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t done = 0; done < length;) {
    if (done == bytes.size()) bytes.resize(std::min(length, done + std::max(kFirstBytes, done)));
    const std::span<std::uint8_t> piece = std::span(bytes).subspan(done, std::min(kPiece, bytes.size() - done));
    auto read = [&stream, piece](runtime::CancellationToken t) { return stream.reader().read(piece, std::move(t)); };
    const auto got =
        co_await runtime::with_timeout(job.net->executor(), protocol::kManifestSilence, std::move(read), token);
    if (!got) co_return std::unexpected(silent(job));
    if (!*got) co_return std::unexpected(got->error());
    stream.reader().release(**got);
    done += **got;
    if (job.received) job.received->store(done, std::memory_order_relaxed);
    if (**got < piece.size()) {
      co_return fail(ErrorCode::unreachable, job.peer.name + " sent only " + std::to_string(done) + " of " +
                                                 std::to_string(length) + " bytes of the manifest of " + job.game);
    }
  }
  co_return bytes;
}
}  // namespace

runtime::Task<Result<ManifestPtr>> fetch_manifest(ManifestJob job, runtime::CancellationToken token) {
  auto dialled = co_await dial_any(*job.transport, job.peer, token);
  if (!dialled) co_return std::unexpected(dialled.error());
  const std::unique_ptr<net::Link> link = std::move(*dialled);
  net::RequestHead head;
  head.method = "GET";
  head.path = protocol::format_route(protocol::ManifestRoute{job.game, job.version});
  head.fields.push_back({"accept", std::string(protocol::kManifestMediaType)});
  auto opened = co_await link->request(head, false, token);
  if (!opened) co_return std::unexpected(opened.error());
  const std::unique_ptr<net::ClientStream> stream = std::move(*opened);
  const auto response = co_await wait_for_head(job, *stream, token);
  if (!response) co_return std::unexpected(response.error());
  if (response->status != protocol::HttpStatus::ok) {
    const ErrorCode code = response->status >= 500 ? ErrorCode::unreachable : ErrorCode::unavailable;
    co_return fail(
        code, job.peer.name + " answered " + std::to_string(response->status) + " for the manifest of " + job.game);
  }
  if (!response->content_length || *response->content_length > protocol::kMaxManifestBytes) {
    co_return fail(ErrorCode::invalid, "the manifest of " + job.game + " from " + job.peer.name +
                                           " has no content length, or one above " +
                                           std::to_string(protocol::kMaxManifestBytes) + " bytes");
  }
  auto body = co_await read_body(job, *stream, static_cast<std::size_t>(*response->content_length), token);
  if (!body) co_return std::unexpected(body.error());
  auto decode = [bytes = std::move(*body), version = job.version](const runtime::StopFlag&) -> Result<ManifestPtr> {
    auto document = protocol::decode(bytes, version);
    if (!document) return std::unexpected(document.error());
    return std::make_shared<const protocol::ManifestDocument>(std::move(*document));
  };
  Result<ManifestPtr> document = co_await runtime::offload(*job.workers, std::move(decode), token);
  link->close("done");
  co_return document;
}

}  // namespace peer::transfer
