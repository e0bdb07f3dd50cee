#include "libpeer/transfer/seeder.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "libpeer/protocol/path.h"

namespace peer::transfer {

namespace {

using protocol::HttpStatus;

std::string_view field(const net::RequestHead& head, std::string_view name) {
  for (const net::Field& f : head.fields) {
    if (f.name == name) return f.value;
  }
  return {};
}

/// {"error":{"code","message"}}
std::string error_document(const Error& error) {
  std::string text = R"({"error":{"code":")";
  text += to_string(error.code);
  text += R"(","message":")";
  for (const char c : protocol::printable(error.message)) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  text += "\"}}\n";
  return text;
}

net::SharedBytes shared(std::string_view text) {
  return std::make_shared<const std::vector<std::uint8_t>>(text.begin(), text.end());
}

Error no_such_game(const std::string& game) {
  return {ErrorCode::no_such_game, "no game \"" + game + "\" is offered here", 0};
}

HttpStatus status_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::no_such_game: return HttpStatus::not_found;
    case ErrorCode::invalid: return HttpStatus::bad_request;
    case ErrorCode::refused: return HttpStatus::method_not_allowed;
    case ErrorCode::busy: return HttpStatus::unavailable;
    default: return HttpStatus::internal_error;
  }
}

/// The error that the body of a refusal carries.
Error error_of(protocol::HttpRefusal refusal) {
  ErrorCode code = ErrorCode::invalid;
  if (refusal.status == HttpStatus::not_found) code = ErrorCode::no_such_game;
  if (refusal.status == HttpStatus::method_not_allowed) code = ErrorCode::refused;
  return {code, std::move(refusal.message), 0};
}

/// Less time than that in the latest spans says nothing of the disk.
constexpr runtime::Duration kMeasurable = std::chrono::milliseconds(500);

struct ChunkSpan {
  library::ContentReader::Position from;
  std::uint64_t bytes = 0;
};

bool lies_within(const protocol::Manifest& manifest, const protocol::ChunksRoute& route) {
  const std::uint64_t chunks = manifest.chunks.size();
  return route.first < chunks && route.count <= chunks - route.first;
}

/// Where a span lies and how long it is. Fails: invalid.
Result<ChunkSpan> locate(const protocol::Manifest& manifest, const protocol::ChunksRoute& route) {
  if (route.count == 0 || route.count > protocol::kMaxSpanChunks || !lies_within(manifest, route)) {
    return fail(ErrorCode::invalid, "the game has " + std::to_string(manifest.chunks.size()) +
                                        " chunks, and a request takes 1 to " +
                                        std::to_string(protocol::kMaxSpanChunks) + " of them");
  }
  const protocol::ChunkPlace first = manifest.place(static_cast<std::size_t>(route.first));
  ChunkSpan span{{first.file, first.offset}, 0};
  // File by file: a span of thousands of chunks is a few look-ups.
  std::uint64_t left = route.count;
  std::uint64_t offset = first.offset;
  for (std::size_t file = first.file; left > 0; ++file, offset = 0) {
    const std::uint64_t rest = manifest.files[file].size - offset;
    const std::uint64_t here = std::min(left, (rest + protocol::kChunkSize - 1) / protocol::kChunkSize);
    span.bytes += std::min(rest, here * protocol::kChunkSize);
    left -= here;
  }
  if (span.bytes > protocol::kMaxSpanBytes) {
    return fail(ErrorCode::invalid, "a request takes at most " + std::to_string(protocol::kMaxSpanBytes) + " bytes");
  }
  return span;
}

}  // namespace

Seeder::Seeder(store::Disk& disk, runtime::Workers& workers, Log log)
    : disk_(disk), workers_(workers), log_(std::move(log)), buffers_(kSendMemory), manifests_(workers) {}

void Seeder::set_snapshot(std::shared_ptr<const library::Snapshot> snapshot) { snapshot_ = std::move(snapshot); }
void Seeder::set_peer_document(std::string json) { peer_document_ = std::move(json); }
void Seeder::on_changed(std::function<void(const std::string& game)> callback) { on_changed_ = std::move(callback); }

std::shared_ptr<const library::LocalGame> Seeder::find(const std::string& game) const {
  if (!snapshot_) return nullptr;
  const auto& games = snapshot_->games;
  const auto found =
      std::ranges::lower_bound(games, game, std::less<std::string_view>(), [](const auto& g) { return g->id; });
  if (found == games.end() || (*found)->id != game || !(*found)->offered) return nullptr;
  return *found;
}

/// What is no span of it at all is refused later.
Seeder::Holder Seeder::find(const protocol::ChunksRoute& route) {
  const auto game = find(route.game);
  const bool offered = game && game->offered->version == route.version;
  const auto first = static_cast<std::size_t>(route.first);
  const auto count = static_cast<std::size_t>(route.count);
  if (offered && (!lies_within(game->offered->document->manifest, route) || game->offered->holds(first, count))) {
    return {game->offered, std::make_unique<library::GameReader>(disk_, game, game->offered), false};
  }
  auto partial = partial_.find(route.game);
  if (!partial || partial->version->version != route.version) {
    return offered ? Holder{game->offered, nullptr, false} : Holder{};
  }
  Holder holder{partial->version, nullptr, true};
  if (!lies_within(partial->version->document->manifest, route) || partial->staging->has(first, count)) {
    holder.reader = std::make_unique<StagedReader>(std::move(partial));
  }
  return holder;
}

runtime::Task<void> Seeder::serve(net::ServerStream& stream, protocol::Route route, runtime::CancellationToken token) {
  ++stats_.requests;
  if (std::holds_alternative<protocol::SessionRoute>(route)) {
    Error error(ErrorCode::no_such_game, "sessions are not served here", 0);
    co_await send_error(stream, HttpStatus::not_found, std::move(error), token);
  } else if (stream.request().method != "GET" && stream.request().method != "HEAD") {
    Error error(ErrorCode::refused, "this path takes GET and HEAD only", 0);
    co_await send_error(stream, HttpStatus::method_not_allowed, std::move(error), "GET, HEAD", token);
  } else if (std::holds_alternative<protocol::PeerRoute>(route)) {
    co_await send_text(stream, peer_document_, token);
  } else if (std::holds_alternative<protocol::LibraryRoute>(route)) {
    const std::uint64_t revision = snapshot_ ? snapshot_->revision : 0;
    std::vector<protocol::GameSummary> games;
    if (snapshot_) games = snapshot_->summaries();
    co_await send_text(stream, protocol::library_document(revision, games), token);
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
  ++stats_.requests;
  const HttpStatus status = refusal.status;
  const std::string_view allow = refusal.allow;
  co_await send_error(stream, status, error_of(std::move(refusal)), allow, token);
}

runtime::Task<void> Seeder::forbid(net::ServerStream& stream, Error error, runtime::CancellationToken token) {
  ++stats_.requests;
  co_await send_error(stream, HttpStatus::forbidden, std::move(error), token);
}

runtime::Task<void> Seeder::send(net::ServerStream& stream, net::ResponseHead head, net::SharedBytes body,
                                 runtime::CancellationToken token) {
  head.content_length = body->size();
  const bool has_body = stream.request().method != "HEAD" && !body->empty();
  if (const Result<void> sent = stream.respond(head, has_body); !sent || !has_body) co_return;
  const Result<void> written = co_await stream.writer().write(std::move(body), token);
  if (written) stream.writer().finish();
}

runtime::Task<void> Seeder::send_text(net::ServerStream& stream, std::string text, runtime::CancellationToken token) {
  net::ResponseHead head;
  head.fields.push_back({"content-type", "application/json"});
  co_await send(stream, std::move(head), shared(text), token);
}

runtime::Task<void> Seeder::send_error(net::ServerStream& stream, HttpStatus status, Error error,
                                       runtime::CancellationToken token) {
  return send_error(stream, status, std::move(error), {}, std::move(token));
}

runtime::Task<void> Seeder::send_error(net::ServerStream& stream, HttpStatus status, Error error,
                                       std::string_view allow, runtime::CancellationToken token) {
  net::ResponseHead head;
  head.status = to_int(status);
  head.fields.push_back({"content-type", "application/json"});
  if (!allow.empty()) head.fields.push_back({"allow", std::string(allow)});
  co_await send(stream, std::move(head), shared(error_document(error)), token);
}

runtime::Task<void> Seeder::send_manifest(net::ServerStream& stream, protocol::ManifestRoute route,
                                          runtime::CancellationToken token) {
  const auto game = find(route.game);
  std::shared_ptr<const library::OfferedGame> version = game ? game->offered : nullptr;
  if (route.version && (!version || *route.version != version->version)) {
    const auto partial = partial_.find(route.game);
    version = partial && partial->version->version == *route.version ? partial->version : nullptr;
  }
  if (!version) {
    co_await send_error(stream, HttpStatus::not_found, no_such_game(route.game), token);
    co_return;
  }
  const bool binary = field(stream.request(), "accept").contains(protocol::kManifestMediaType);
  net::ResponseHead head;
  head.fields.push_back({"content-type", binary ? std::string(protocol::kManifestMediaType) : "application/json"});
  head.fields.push_back({"vary", "accept"});
  const auto format = binary ? EncodedManifests::Format::binary : EncodedManifests::Format::json;
  net::SharedBytes bytes = co_await manifests_.get(version, format, token);
  co_await send(stream, std::move(head), std::move(bytes), token);
}

runtime::Task<void> Seeder::send_file(net::ServerStream& stream, protocol::FileRoute route,
                                      runtime::CancellationToken token) {
  const auto game = find(route.game);
  if (!game) {
    co_await send_error(stream, HttpStatus::not_found, no_such_game(route.game), token);
    co_return;
  }
  const protocol::Manifest& manifest = game->offered->document->manifest;
  const std::optional<std::size_t> file = manifest.file_at(route.path);
  if (!file) {
    Error error(ErrorCode::no_such_game, "\"" + route.game + "\" has no file \"" + route.path + "\"", 0);
    co_await send_error(stream, HttpStatus::not_found, std::move(error), token);
    co_return;
  }
  if (!game->offered->holds_file(*file)) {
    Error error(ErrorCode::no_such_game, "\"" + route.path + "\" was changed since it was installed", 0);
    co_await send_error(stream, HttpStatus::gone, std::move(error), token);
    co_return;
  }
  net::ResponseHead head;
  head.fields.push_back({"content-type", "application/octet-stream"});
  head.fields.push_back({"accept-ranges", "bytes"});
  const std::uint64_t file_size = manifest.files[*file].size;
  protocol::ByteRange range{0, file_size};
  // Without validators a conditional range never holds.
  if (const std::string_view asked = field(stream.request(), "range");
      !asked.empty() && field(stream.request(), "if-range").empty()) {
    const auto parsed = protocol::parse_range(asked, file_size);
    const std::string size = std::to_string(file_size);
    if (!parsed) {
      head.status = to_int(HttpStatus::range_not_satisfiable);
      head.fields.front().value = "application/json";
      head.fields.push_back({"content-range", "bytes */" + size});
      co_await send(stream, std::move(head), shared(error_document(error_of(parsed.error()))), token);
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
  Content content{std::make_unique<library::GameReader>(disk_, game, game->offered), from, range.length, game->id};
  co_await send_content(stream, std::move(head), std::move(content), token);
}

runtime::Task<void> Seeder::send_chunks(net::ServerStream& stream, protocol::ChunksRoute route,
                                        runtime::CancellationToken token) {
  if (!stream.peer()) {
    Error error(ErrorCode::refused, "chunks are for peers: show a certificate, or take the files", 0);
    co_await send_error(stream, HttpStatus::forbidden, std::move(error), token);
    co_return;
  }
  Holder holder = find(route);
  if (!holder.version) {
    co_await send_error(stream, HttpStatus::not_found, no_such_game(route.game), token);
    co_return;
  }
  const protocol::Manifest& manifest = holder.version->document->manifest;
  const auto span = locate(manifest, route);
  if (!span) {
    co_await send_error(stream, HttpStatus::bad_request, span.error(), token);
    co_return;
  }
  if (!holder.reader) {
    Error error(ErrorCode::no_such_game, "that part of " + route.game + " is not here", 0);
    const HttpStatus status = holder.staged ? HttpStatus::not_found : HttpStatus::gone;
    co_await send_error(stream, status, std::move(error), token);
    co_return;
  }
  net::ResponseHead head;
  head.fields.push_back({"content-type", "application/octet-stream"});
  if (holds_back()) {
    head.fields.push_back({std::string(protocol::kLimitedField), std::string(protocol::kLimitedTrue)});
  }
  Content content{std::move(holder.reader), span->from, span->bytes, route.game, {}, holder.staged};
  if (route.count == 1 && field(stream.request(), protocol::kVerifyField) == protocol::kVerifyTrue) {
    content.hash = manifest.chunks[route.first];
  }
  co_await send_content(stream, std::move(head), std::move(content), token);
}

bool Seeder::holds_back() const {
  // After a rest nobody knows; most likely it is the limit, and the next span tells.
  const bool rested = clock_now() - last_sent_ > kMeasurable;
  if (limit_ != nullptr && limit_->rate() != 0 && (rested || limit_->binding(clock_now()))) return true;
  return reading_ > 2 * waiting_ && reading_ > kMeasurable;
}

void Seeder::count_sent(const std::optional<PeerId>& peer, std::uint64_t bytes) {
  stats_.bytes_sent += bytes;
  if (peer && (stats_.sent_to.contains(*peer) || stats_.sent_to.size() < kCountedPeers)) {
    stats_.sent_to[*peer] += bytes;
  }
}

runtime::Task<void> Seeder::send_content(net::ServerStream& stream, net::ResponseHead head, Content content,
                                         runtime::CancellationToken token) {
  std::uint64_t length = content.length;
  reading_ = reading_ * 7 / 8;
  waiting_ = waiting_ * 7 / 8;
  head.content_length = length;
  if (length == 0 || stream.request().method == "HEAD") {
    static_cast<void>(stream.respond(head, false));  // a stream that is gone wants no answer
    co_return;
  }
  bool responded = false;
  while (length > 0) {
    std::uint64_t most = std::min<std::uint64_t>(length, SendBuffers::kBatchBytes);
    if (limit_ != nullptr && !content.hash) most = limit_->piece(most);  // a chunk that is checked is read whole
    const auto count = static_cast<std::size_t>(most);
    std::shared_ptr<std::vector<std::uint8_t>> buffer = co_await buffers_.take(count, token);
    auto read = [&content, into = std::span(*buffer)](const runtime::StopFlag&) -> Result<void> {
      if (Result<void> filled = content.reader->fill(content.from, into); !filled) return filled;
      if (!content.hash || protocol::hash(into) == *content.hash) return {};
      return fail(ErrorCode::invalid, "a chunk of it is no longer what was hashed");
    };
    const runtime::TimePoint begun = clock_now();
    const Result<void> filled = co_await runtime::offload(workers_, std::move(read), token);
    reading_ += clock_now() - begun;
    if (!filled) {
      const ErrorCode code = filled.error().code;
      if (code != ErrorCode::no_such_game)
        log_.game(content.game).warn("cannot send " + content.game + ": " + filled.error().message);
      if (code == ErrorCode::invalid && !content.staged && on_changed_) on_changed_(content.game);
      const HttpStatus status = code == ErrorCode::invalid ? HttpStatus::gone : status_of(filled.error());
      // Otherwise the stream is left unfinished, which resets it.
      if (!responded) co_await send_error(stream, status, filled.error(), token);
      co_return;
    }
    // The head waits for the first bytes, so that an unreadable file still gets an honest status.
    if (!responded) {
      if (const Result<void> sent = stream.respond(head, true); !sent) co_return;
      responded = true;
    }
#if PEERD_TEST_HOOKS
    if (tamper_) tamper_(*buffer);
#endif
    if (limit_ != nullptr) co_await limit_->pass(count, token);
    if (still_served_ && !still_served_(stream)) co_return;
    const runtime::TimePoint ready = clock_now();
    const Result<void> written = co_await stream.writer().write(std::move(buffer), token);
    waiting_ += clock_now() - ready;
    if (!written) co_return;
    count_sent(stream.peer(), count);
    last_sent_ = clock_now();
    length -= count;
  }
  stream.writer().finish();
}

}  // namespace peer::transfer
