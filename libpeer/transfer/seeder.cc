#include "libpeer/transfer/seeder.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "libpeer/transfer/chunk_span.h"
#include "libpeer/transfer/responses.h"

namespace peer::transfer {

using protocol::HttpStatus;

Seeder::Seeder(runtime::Executor& executor, store::Disk& disk, runtime::Workers& workers, Log log)
    : disk_(disk), sender_(executor, workers, std::move(log)), documents_(workers) {
  sender_.set_others_wait([this] { return documents_.contended(); });
}

void Seeder::set_snapshot(std::shared_ptr<const library::Snapshot> snapshot) { snapshot_ = std::move(snapshot); }
void Seeder::set_peer_document(std::string json) { peer_document_ = std::move(json); }

std::shared_ptr<const library::LocalGame> Seeder::find_game(const std::string& game) const {
  if (!snapshot_) return nullptr;
  const auto& games = snapshot_->games;
  const auto found =
      std::ranges::lower_bound(games, game, std::less<std::string_view>(), [](const auto& g) { return g->id; });
  if (found == games.end() || (*found)->id != game || !(*found)->offered) return nullptr;
  return *found;
}

/// Returns a reader even for a span that the manifest does not have: locate_span() then refuses it with the reason.
Seeder::SpanContent Seeder::find_span(const protocol::ChunksRoute& route) {
  const auto game = find_game(route.game);
  const bool offered = game && game->offered->version == route.version;
  const auto first = static_cast<std::size_t>(route.first);
  const auto count = static_cast<std::size_t>(route.count);
  if (offered && (!lies_within(game->offered->document->manifest, route) || game->offered->holds(first, count))) {
    return {game->offered, std::make_unique<library::GameReader>(disk_, game, game->offered), false};
  }
  auto partial = partial_.find(route.game);
  if (!partial || partial->version->version != route.version) {
    return offered ? SpanContent{game->offered, nullptr, false} : SpanContent{};
  }
  SpanContent content{partial->version, nullptr, true};
  if (!lies_within(partial->version->document->manifest, route) || partial->staging->has(first, count)) {
    content.reader = std::make_unique<StagedReader>(std::move(partial));
  }
  return content;
}

runtime::Task<void> Seeder::serve(net::ServerStream& stream, protocol::Route route, runtime::CancellationToken token) {
  ++requests_;
  if (std::holds_alternative<protocol::SessionRoute>(route)) {
    Error error(ErrorCode::not_found, "sessions are not served by this handler", 0);
    co_await send_error(stream, HttpStatus::not_found, std::move(error), token);
  } else if (stream.request().method != "GET" && stream.request().method != "HEAD") {
    protocol::HttpRefusal refusal{HttpStatus::method_not_allowed, "this path accepts only GET and HEAD", "GET, HEAD"};
    co_await send_refusal(stream, std::move(refusal), token);
  } else if (std::holds_alternative<protocol::PeerRoute>(route)) {
    co_await send_json(stream, peer_document_, token);
  } else if (std::holds_alternative<protocol::LibraryRoute>(route)) {
    co_await send_library(stream, token);
  } else if (auto* manifest = std::get_if<protocol::ManifestRoute>(&route)) {
    co_await send_manifest(stream, std::move(*manifest), token);
  } else if (auto* file = std::get_if<protocol::FileRoute>(&route)) {
    co_await send_file(stream, std::move(*file), token);
  } else if (auto* chunks = std::get_if<protocol::ChunksRoute>(&route)) {
    co_await send_chunks(stream, std::move(*chunks), token);
  }
}

runtime::Task<void> Seeder::refuse(net::ServerStream& stream, protocol::HttpRefusal refusal,
                                   runtime::CancellationToken token) {
  ++requests_;
  co_await send_refusal(stream, std::move(refusal), token);
}

runtime::Task<void> Seeder::forbid(net::ServerStream& stream, Error error, runtime::CancellationToken token) {
  ++requests_;
  co_await send_error(stream, HttpStatus::forbidden, std::move(error), token);
}

runtime::Task<void> Seeder::send_library(net::ServerStream& stream, runtime::CancellationToken token) {
  net::SharedBytes bytes = co_await documents_.library(stream, snapshot_, revision_, token);
  net::ResponseHead head;
  head.fields.push_back({"content-type", "application/json"});
  co_await sender_.send(stream, std::move(head), std::move(bytes), token);
}

runtime::Task<void> Seeder::send_manifest(net::ServerStream& stream, protocol::ManifestRoute route,
                                          runtime::CancellationToken token) {
  const auto game = find_game(route.game);
  std::shared_ptr<const library::OfferedGame> version = game ? game->offered : nullptr;
  if (route.version && (!version || *route.version != version->version)) {
    const auto partial = partial_.find(route.game);
    version = partial && partial->version->version == *route.version ? partial->version : nullptr;
  }
  if (!version) {
    co_await send_error(stream, HttpStatus::not_found, not_offered(route.game), token);
    co_return;
  }
  const bool binary = request_field(stream.request(), "accept").contains(protocol::kManifestMediaType);
  net::ResponseHead head;
  head.fields.push_back({"content-type", binary ? std::string(protocol::kManifestMediaType) : "application/json"});
  head.fields.push_back({"vary", "accept"});
  const auto format = binary ? Documents::Format::binary : Documents::Format::json;
  net::SharedBytes bytes = co_await documents_.manifest(stream, std::move(version), format, token);
  co_await sender_.send(stream, std::move(head), std::move(bytes), token);
}

runtime::Task<void> Seeder::send_file(net::ServerStream& stream, protocol::FileRoute route,
                                      runtime::CancellationToken token) {
  const auto game = find_game(route.game);
  if (!game) {
    co_await send_error(stream, HttpStatus::not_found, not_offered(route.game), token);
    co_return;
  }
  const protocol::Manifest& manifest = game->offered->document->manifest;
  const std::optional<std::size_t> file = manifest.file_at(route.path);
  if (!file) {
    Error error(ErrorCode::not_found, "\"" + route.game + "\" has no file \"" + route.path + "\"", 0);
    co_await send_error(stream, HttpStatus::not_found, std::move(error), token);
    co_return;
  }
  if (!game->offered->holds_file(*file)) {
    Error error(ErrorCode::not_found, "\"" + route.path + "\" has changed since it was installed", 0);
    co_await send_error(stream, HttpStatus::gone, std::move(error), token);
    co_return;
  }
  net::ResponseHead head;
  head.fields.push_back({"content-type", "application/octet-stream"});
  head.fields.push_back({"accept-ranges", "bytes"});
  const std::uint64_t file_size = manifest.files[*file].size;
  protocol::ByteRange range{0, file_size};
  // There are no validators, so a conditional range (If-Range) is never satisfied.
  if (const std::string_view asked = request_field(stream.request(), "range");
      !asked.empty() && request_field(stream.request(), "if-range").empty()) {
    const auto parsed = protocol::parse_range(asked, file_size);
    const std::string size = std::to_string(file_size);
    if (!parsed) {
      head.status = to_int(HttpStatus::range_not_satisfiable);
      head.fields.front().value = "application/json";
      head.fields.push_back({"content-range", "bytes */" + size});
      const Error error{ErrorCode::invalid, parsed.error().message, 0};
      co_await send_body(stream, std::move(head), error_body(error), token);
      co_return;
    }
    if (*parsed) {
      range = **parsed;
      head.status = to_int(HttpStatus::partial_content);
      head.fields.push_back({"content-range", "bytes " + std::to_string(range.first) + "-" +
                                                  std::to_string(range.first + range.length - 1) + "/" + size});
    }
  }
  const library::ContentReader::Position from{*file, range.first};
  GameBytes bytes{std::make_unique<library::GameReader>(disk_, game, game->offered), from, range.length, game->id};
  co_await sender_.send(stream, std::move(head), std::move(bytes), token);
}

runtime::Task<void> Seeder::send_chunks(net::ServerStream& stream, protocol::ChunksRoute route,
                                        runtime::CancellationToken token) {
  if (!stream.peer()) {
    Error error(ErrorCode::refused,
                "chunks are sent only to clients with a certificate: present one, or request files instead", 0);
    co_await send_error(stream, HttpStatus::forbidden, std::move(error), token);
    co_return;
  }
  SpanContent content = find_span(route);
  if (!content.version) {
    co_await send_error(stream, HttpStatus::not_found, not_offered(route.game), token);
    co_return;
  }
  const protocol::Manifest& manifest = content.version->document->manifest;
  const auto span = locate_span(manifest, route);
  if (!span) {
    co_await send_error(stream, HttpStatus::bad_request, span.error(), token);
    co_return;
  }
  if (!content.reader) {
    Error error(ErrorCode::not_found, "this peer does not have the requested chunks of \"" + route.game + "\"", 0);
    const HttpStatus status = content.staged ? HttpStatus::not_found : HttpStatus::gone;
    co_await send_error(stream, status, std::move(error), token);
    co_return;
  }
  net::ResponseHead head;
  head.fields.push_back({"content-type", "application/octet-stream"});
  if (sender_.holds_back()) {
    head.fields.push_back({std::string(protocol::kLimitedField), std::string(protocol::kLimitedTrue)});
  }
  GameBytes bytes{std::move(content.reader), span->from, span->bytes, route.game, {}, content.staged};
  if (route.count == 1 && request_field(stream.request(), protocol::kVerifyField) == protocol::kVerifyTrue) {
    bytes.hash = manifest.chunks[route.first];
  }
  co_await sender_.send(stream, std::move(head), std::move(bytes), token);
}

}  // namespace peer::transfer
