#include "libpeer/transfer/fetch.h"

#include <utility>

#include "libpeer/base/fault.h"
#include "libpeer/runtime/with_scope.h"
#include "libpeer/transfer/span_fetch.h"

namespace peer::transfer {

namespace {

/// The first part of a span to request. Under a limit it is a tenth of a second's worth, so that not much more is in
/// flight than the limit admits.
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
  ReadSize read_size;
  for (;;) {
    const std::optional<Assignment> work = co_await job.spans->receive(token);
    if (!work) co_return;
    PEER_FAULT_POINT("lane");
    const Span span = work->span;
    std::optional<SpanFailed> failure;
    for (Span rest = span; rest.count > 0 && !failure && !work->unwanted->load();) {
      const Span part = next_request(job, rest);
      SpanFetch fetch(job, link, part, *work->unwanted, read_size);
      failure = co_await fetch.run(token);
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
  Error last{ErrorCode::unreachable, peer.name + " has not announced an address", 0};
  for (const net::SocketAddress& address : peer.addresses) {
    auto link = co_await transport.dial(address, peer.id, token);
    if (link) co_return std::move(*link);
    last = link.error();
  }
  co_return std::unexpected(last);
}

runtime::Task<SourceEnded> run_source(SourceJob job, runtime::CancellationToken token) {
  auto dialed = co_await dial_any(*job.transport, job.peer, token);
  if (!dialed) co_return SourceEnded{job.peer.id, Blame::network, dialed.error()};
  const std::unique_ptr<net::Link> link = std::move(*dialed);
  Error why{ErrorCode::unreachable, "the connection to " + job.peer.name + " ended", 0};
  runtime::CancellationSource stop(token);
  co_await run_lanes(job, *link, stop, why);
  link->close("done");
  co_return SourceEnded{job.peer.id, Blame::network, std::move(why)};
}

}  // namespace peer::transfer
