#include "libpeer/transfer/fetch.h"

#include <algorithm>
#include <utility>

#include "libpeer/base/fault.h"
#include "libpeer/protocol/routes.h"
#include "libpeer/runtime/with_scope.h"

namespace peer::transfer {

namespace {

constexpr std::size_t kMostPiece = 128 << 10;  // read at once: how fine the received count is
constexpr std::size_t kLeastPiece = 2 << 10;
constexpr std::uint64_t kBatchBytes = 1 << 20;  // verified and written by one job

/// Why a response with that status is of no use.
SpanFailed refused_span(const SourceJob& job, const Span& span, int status) {
  const bool gone = status == 404 || status == 410 || status == 403;
  std::string text = job.peer.name + " answered " + std::to_string(status) + " for a part of " + job.game;
  return {job.peer.id, span,
          status == 410 ? Blame::hole
          : gone        ? Blame::missing
                        : Blame::network,
          Error{gone ? ErrorCode::no_peer_has_it : ErrorCode::unreachable, std::move(text), 0}};
}

/// The next batch of a span: consecutive chunks of at most kBatchBytes together.
struct Batch {
  std::uint64_t first;
  std::uint64_t count = 0;
  std::size_t bytes = 0;
};
Batch next_batch(const protocol::Manifest& manifest, std::uint64_t first, std::uint64_t end) {
  Batch batch{first};
  while (batch.first + batch.count < end) {
    const std::uint32_t size = manifest.place(static_cast<std::size_t>(batch.first + batch.count)).size;
    if (batch.count > 0 && batch.bytes + size > kBatchBytes) break;
    batch.bytes += size;
    ++batch.count;
  }
  return batch;
}

/// After a wrong chunk: the source is asked for that one alone, and to hash it first. One whose disk has changed finds
/// out, refuses, and is honest; one that sends wrong bytes again lies.
runtime::Task<Blame> reaffirm(const SourceJob& job, net::Link& link, std::uint64_t chunk,
                              runtime::CancellationToken token) {
  net::RequestHead head;
  head.method = "GET";
  head.path = protocol::format_route(protocol::ChunksRoute{job.game, job.version, chunk, 1});
  head.fields.push_back({std::string(protocol::kVerifyField), std::string(protocol::kVerifyTrue)});
  const auto opened = co_await link.request(head, false, token);
  if (!opened) co_return Blame::content;
  const auto response = co_await (*opened)->response(token);
  if (!response || response->status != 200) co_return Blame::content;
  std::vector<std::uint8_t> bytes(job.document->manifest.place(static_cast<std::size_t>(chunk)).size);
  const auto got = co_await (*opened)->reader().read(bytes, token);
  if (!got || *got != bytes.size()) co_return Blame::content;
  auto check = [&bytes, expected = job.document->manifest.chunks[chunk]](const runtime::StopFlag&) {
    return protocol::hash(bytes) == expected;
  };
  const bool right = co_await runtime::offload(*job.workers, std::move(check), token);
  co_return right ? Blame::content : Blame::lie;
}

struct WriteOutcome {
  Result<void> result;
  std::uint64_t written = 0;
};

/// How much a lane reads at once: what arrives in a twentieth of a second, so that what is told of it lags no more,
/// however slow the sender is.
struct ReadPace {
  std::size_t piece = 16 << 10;

  void took(runtime::Duration time) {
    constexpr runtime::Duration kAim = std::chrono::milliseconds(50);
    if (time > 2 * kAim) {
      piece = std::max(kLeastPiece,
                       piece * static_cast<std::size_t>(kAim.count()) / static_cast<std::size_t>(time.count()));
    } else if (time < kAim / 2) {
      piece = std::min(kMostPiece, piece * 2);
    }
  }
};

std::uint64_t ns_since(runtime::Executor& executor, runtime::TimePoint begin) {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(executor.now() - begin).count());
}

/// One span, start to end. Nothing: all of it is verified and written, or it became unwanted.
runtime::Task<std::optional<SpanFailed>> fetch_span(const SourceJob& job, net::Link& link, Span span,
                                                    const std::atomic<bool>& unwanted, ReadPace& pace,
                                                    runtime::CancellationToken token) {
  const auto failed = [&](Blame blame, Error error) { return SpanFailed{job.peer.id, span, blame, std::move(error)}; };
  net::RequestHead head;
  head.method = "GET";
  head.path = protocol::format_route(protocol::ChunksRoute{job.game, job.version, span.first, span.count});
  auto opened = co_await link.request(head, false, token);
  if (!opened) co_return failed(Blame::network, opened.error());
  const std::unique_ptr<net::ClientStream> stream = std::move(*opened);
  const auto response = co_await stream->response(token);
  if (!response) co_return failed(Blame::network, response.error());
  if (response->status != 200) co_return refused_span(job, span, response->status);
  if (response->content_length && *response->content_length != span.bytes) {
    co_return failed(Blame::content,
                     Error{ErrorCode::invalid, job.peer.name + " sends another length than asked for", 0});
  }

  const bool held_back = std::ranges::any_of(response->fields, [](const net::Field& field) {
    return field.name == protocol::kLimitedField && field.value == protocol::kLimitedTrue;
  });
  job.meters->held_back.store(held_back, std::memory_order_relaxed);

  std::vector<std::uint8_t> buffer;
  runtime::Executor& executor = job.net->executor();
  const std::uint64_t end = span.first + span.count;
  for (std::uint64_t chunk = span.first; chunk < end;) {
    const Batch batch = next_batch(job.document->manifest, chunk, end);
    buffer.resize(batch.bytes);
    for (std::size_t done = 0; done < batch.bytes;) {
      std::size_t want = std::min(pace.piece, batch.bytes - done);
      if (job.down != nullptr) {
        want = static_cast<std::size_t>(job.down->piece(want));
        co_await job.down->pass(want, token);
      }
      if (unwanted.load(std::memory_order_relaxed)) co_return std::nullopt;
      const runtime::TimePoint asked = executor.now();
      const auto got = co_await stream->reader().read(std::span(buffer).subspan(done, want), token);
      if (!got) co_return failed(Blame::network, got.error());
      pace.took(executor.now() - asked);
      job.meters->reading_ns.fetch_add(ns_since(executor, asked), std::memory_order_relaxed);
      job.meters->received.fetch_add(*got, std::memory_order_relaxed);
      done += *got;
      if (*got < want)
        co_return failed(Blame::network, Error{ErrorCode::unreachable, job.peer.name + " ended a part early", 0});
    }
    auto write = [staging = job.staging, batch,
                  bytes = std::span<const std::uint8_t>(buffer)](const runtime::StopFlag&) {
      WriteOutcome outcome;
      outcome.result = staging->write(staging::ChunkBatch{batch.first, batch.count, bytes}, outcome.written);
      return outcome;
    };
    const runtime::TimePoint arrived = executor.now();
    const WriteOutcome outcome = co_await runtime::offload(*job.workers, std::move(write), token);
    job.meters->writing_ns.fetch_add(ns_since(executor, arrived), std::memory_order_relaxed);
    stream->reader().release(batch.bytes);
    if (outcome.written > 0) job.reports.send_urgent(SpanProgress{job.peer.id, batch.first, outcome.written});
    if (!outcome.result) {
      Blame blame = Blame::local;
      if (outcome.result.error().code == ErrorCode::invalid) {
        blame = co_await reaffirm(job, link, batch.first + outcome.written, token);
      }
      co_return failed(blame, outcome.result.error());
    }
    chunk += batch.count;
  }
  co_return std::nullopt;
}

/// Of a span, what is asked for at once: under a limit a tenth of a second's worth, so that what is on its way is never
/// much more than what may come.
Span next_request(const SourceJob& job, const Span& span) {
  if (job.down == nullptr || job.down->rate() == 0) return span;
  const std::uint64_t most = job.down->rate() / 10;
  Span part{span.first, 0, 0};
  while (part.count < span.count) {
    const std::uint32_t size = job.document->manifest.place(static_cast<std::size_t>(part.first + part.count)).size;
    if (part.count > 0 && part.bytes + size > most) break;
    part.bytes += size;
    ++part.count;
  }
  return part;
}

runtime::Task<void> run_lane(const SourceJob& job, net::Link& link, runtime::CancellationToken token) {
  ReadPace pace;
  for (;;) {
    const std::optional<Assignment> work = co_await job.spans->receive(token);
    if (!work) co_return;
    PEER_FAULT_POINT("lane");
    const Span span = work->span;
    std::optional<SpanFailed> failure;
    for (Span rest = span; rest.count > 0 && !failure && !work->unwanted->load();) {
      const Span part = next_request(job, rest);
      failure = co_await fetch_span(job, link, part, *work->unwanted, pace, token);
      rest = {rest.first + part.count, rest.count - part.count, rest.bytes - part.bytes};
    }
    if (failure) {
      failure->span = span;
      job.reports.send_urgent(std::move(*failure));
    } else {
      job.reports.send_urgent(SpanDone{job.peer.id, span});
    }
  }
}

/// Ends the lanes when the connection does.
runtime::Task<void> watch_link(net::Link& link, runtime::CancellationSource& stop, Error& why,
                               runtime::CancellationToken token) {
  why = co_await link.ended(token);
  stop.request();
}

/// Returns when all lanes have ended: the connection has, or the channel of spans is closed.
runtime::Task<void> run_watched_lanes(const SourceJob& job, net::Link& link, runtime::CancellationSource& stop,
                                      Error& why, runtime::Scope& watch) {
  runtime::Scope lanes(*job.net, "source " + job.peer.id.brief(), stop.token());
  for (std::size_t i = 0; i < kLanes; ++i) lanes.spawn("lane", run_lane(job, link, lanes.token()));
  watch.spawn("watch", watch_link(link, stop, why, watch.token()));
  co_await lanes.join();
}

runtime::Task<void> run_lanes(const SourceJob& job, net::Link& link, runtime::CancellationSource& stop, Error& why) {
  const auto watched = [&](runtime::Scope& watch) { return run_watched_lanes(job, link, stop, why, watch); };
  co_await runtime::with_scope(*job.net, "source " + job.peer.id.brief(), watched, stop.token());
}

}  // namespace

runtime::Task<Result<std::unique_ptr<net::Link>>> dial_any(net::Transport& transport, SourcePeer peer,
                                                           runtime::CancellationToken token) {
  Error last{ErrorCode::unreachable, peer.name + " has told no address", 0};
  for (const net::SocketAddress& address : peer.addresses) {
    auto link = co_await transport.dial(address, peer.id, token);
    if (link) co_return std::move(*link);
    last = link.error();
  }
  co_return std::unexpected(last);
}

runtime::Task<SourceEnded> run_source(SourceJob job, runtime::CancellationToken token) {
  auto dialled = co_await dial_any(*job.transport, job.peer, token);
  if (!dialled) co_return SourceEnded{job.peer.id, Blame::network, dialled.error()};
  const std::unique_ptr<net::Link> link = std::move(*dialled);
  Error why{ErrorCode::unreachable, "the connection to " + job.peer.name + " ended", 0};
  runtime::CancellationSource stop(token);
  co_await run_lanes(job, *link, stop, why);
  link->close("done");
  co_return SourceEnded{job.peer.id, Blame::network, std::move(why)};
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
  if (response->status != 200) {
    const ErrorCode code = response->status >= 500 ? ErrorCode::unreachable : ErrorCode::no_peer_has_it;
    co_return fail(
        code, job.peer.name + " answered " + std::to_string(response->status) + " for the manifest of " + job.game);
  }
  if (!response->content_length || *response->content_length > protocol::kMaxManifestBytes) {
    co_return fail(ErrorCode::invalid,
                   "the manifest of " + job.game + " from " + job.peer.name + " is too large or of unknown length");
  }
  // Grows as bytes arrive: a length alone makes nobody allocate.
  std::vector<std::uint8_t> bytes;
  const auto length = static_cast<std::size_t>(*response->content_length);
  while (bytes.size() < length) {
    const std::size_t before = bytes.size();
    bytes.resize(std::min(length, before + std::max<std::size_t>(kBatchBytes, before)));
    const auto got = co_await stream->reader().read(std::span(bytes).subspan(before), token);
    if (!got) co_return std::unexpected(got.error());
    stream->reader().release(*got);
    if (before + *got < bytes.size())
      co_return fail(ErrorCode::unreachable, job.peer.name + " ended the manifest early");
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
