#include <algorithm>
#include <utility>

#include "libpeer/protocol/routes.h"
#include "libpeer/transfer/fetch.h"

namespace peer::transfer {

namespace {
constexpr std::size_t kFirstBytes = 1 << 20;  // allocated before any byte arrives
}

runtime::Task<Result<std::shared_ptr<const protocol::ManifestDocument>>> fetch_manifest(
    ManifestJob job, runtime::CancellationToken token) {
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
  const auto response = co_await stream->response(token);
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
  // The buffer grows as bytes arrive, so that a peer cannot make this one allocate by a length alone.
  std::vector<std::uint8_t> bytes;
  const auto length = static_cast<std::size_t>(*response->content_length);
  while (bytes.size() < length) {
    const std::size_t before = bytes.size();
    bytes.resize(std::min(length, before + std::max<std::size_t>(kFirstBytes, before)));
    const auto got = co_await stream->reader().read(std::span(bytes).subspan(before), token);
    if (!got) co_return std::unexpected(got.error());
    stream->reader().release(*got);
    if (before + *got < bytes.size())
      co_return fail(ErrorCode::unreachable, job.peer.name + " sent only " + std::to_string(before + *got) + " of " +
                                                 std::to_string(length) + " bytes of the manifest of " + job.game);
  }
  using Document = Result<std::shared_ptr<const protocol::ManifestDocument>>;
  auto decode = [bytes = std::move(bytes), version = job.version](const runtime::StopFlag&) -> Document {
    auto document = protocol::decode(bytes, version);
    if (!document) return std::unexpected(document.error());
    return std::make_shared<const protocol::ManifestDocument>(std::move(*document));
  };
  Document document = co_await runtime::offload(*job.workers, std::move(decode), token);
  link->close("done");
  co_return document;
}

}  // namespace peer::transfer
