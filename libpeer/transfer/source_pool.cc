#include "libpeer/transfer/source_pool.h"

#include <algorithm>
#include <utility>

#include "libpeer/runtime/call_on.h"

namespace peer::transfer {

namespace {
using namespace std::chrono_literals;

/// Time between two connections to a source.
constexpr runtime::Duration kRetryDelay = 1s;
/// Consecutive failed spans after which a source's connection is closed.
constexpr unsigned kMaxFailures = 3;
/// Time in which one of several partial holders may obtain chunks that all of them lack.
constexpr runtime::Duration kPatience = 10s;
/// Number of chunks that a source of the whole version may lack before it is excluded.
constexpr unsigned kMaxHoles = 4096;
}  // namespace

std::vector<SourcePeer> eligible_sources(const DownloadContext& context, const DownloadTerms& terms) {
  std::vector<SourcePeer> peers = context.sources->sources(terms.game, terms.version);
  if (!terms.only.empty()) {
    std::erase_if(peers, [&terms](const SourcePeer& peer) { return !terms.only.contains(peer.id); });
  }
  return peers;
}

SourcePool::SourcePool(const DownloadContext& context, const DownloadTerms& terms, runtime::Executor& control,
                       Planner& planner, const FetchTarget& target, ReportSender reports,
                       std::optional<Error> last_error)
    : context_(context),
      terms_(terms),
      control_(control),
      planner_(planner),
      target_(target),
      reports_(std::move(reports)),
      dispatcher_(planner, *target_.staging, sources_),
      last_news_(control.now()),
      last_error_(std::move(last_error)) {}

std::map<PeerId, std::uint64_t> SourcePool::received() const {
  std::map<PeerId, std::uint64_t> received;
  for (const auto& [id, source] : sources_) received.emplace(id, source.received());
  return received;
}

void SourcePool::add_times(TimeBreakdown& time) {
  for (auto& [id, source] : sources_) {
    if (!source.task.meters) continue;
    const SourceMeters::MeterReading now = source.task.meters->read();
    const std::uint64_t received = now.received - source.counted.received;
    time.received += received;
    if (source.task.meters->held_back) time.held_back += received;
    time.reading_ns += now.reading_ns - source.counted.reading_ns;
    time.writing_ns += now.writing_ns - source.counted.writing_ns;
    source.counted = now;
  }
}

void SourcePool::refresh(runtime::Scope& scope) {
  std::vector<SourcePeer> peers = eligible_sources(context_, terms_);
  for (auto& [id, source] : sources_) {
    const auto listed = std::ranges::find(peers, id, &SourcePeer::id);
    if (listed == peers.end() && source.holdings) {
      planner_.withdraw(id);
      source.holdings.reset();
    }
    const bool same_route = listed != peers.end() && listed->route_generation == source.task.route_generation;
    if (source.task.running && !same_route) source.task.stop->request();
  }
  for (SourcePeer& peer : peers) {
    SourceState& source = sources_[peer.id];
    if (source.excluded) continue;
    update_holdings(peer, source);
    if (source.task.running || control_.now() < source.not_before || !planner_.is_useful(peer.id)) continue;
    start(std::move(peer), source, scope);
  }
}

void SourcePool::update_holdings(const SourcePeer& peer, SourceState& source) {
  const std::uint64_t revision = peer.holds ? peer.holds_revision : SourceState::kHoldsAll;
  if (source.holdings == revision) return;
  source.holdings = revision;
  last_news_ = control_.now();
  if (!peer.holds) {
    planner_.offer_all(peer.id);
  } else if (peer.holds->size() == planner_.have().size()) {
    planner_.offer(peer.id, *peer.holds);
  }
}

void SourcePool::start(SourcePeer peer, SourceState& source, runtime::Scope& scope) {
  source.received_before = source.received();
  SourceTask& task = source.task;
  task.spans = std::make_shared<runtime::Channel<Assignment>>(context_.net->executor(), kSpansPerSource);
  task.meters = std::make_shared<SourceMeters>();
  task.stop = std::make_unique<runtime::CancellationSource>(scope.token());
  task.running = true;
  task.route_generation = peer.route_generation;
  source.counted = {};
  source.busy = false;
  peer.holds.reset();  // belongs to the control loop
  SourceJob job(reports_);
  job.transport = context_.transport;
  job.net = context_.net;
  job.workers = context_.workers;
  job.peer = peer;
  job.game = terms_.game;
  job.version = terms_.version;
  job.document = target_.document;
  job.staging = target_.staging;
  job.down = context_.down;
  job.spans = task.spans;
  job.meters = task.meters;
  scope.spawn("source " + peer.name, run_source_task(peer.id, std::move(job), task.stop->token()));
}

runtime::Task<void> SourcePool::run_source_task(PeerId id, SourceJob job, runtime::CancellationToken token) {
  const ReportSender reports = job.reports;
  auto start = [job](runtime::CancellationToken t) { return run_source(job, t); };
  SourceEnded ended{id, Blame::network, Error{ErrorCode::unreachable, id.brief() + " is no longer used", 0}};
  try {
    ended = co_await runtime::call_on(*context_.net, "source " + id.brief(), std::move(start), token);
  } catch (const runtime::Cancelled&) {
  } catch (const std::exception& e) {
    ended.error = Error{ErrorCode::internal, "fetching from " + id.brief() + " failed: " + e.what(), 0};
  }
  reports.send_urgent(std::move(ended));
}

void SourcePool::mark_have(std::uint64_t first, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) planner_.mark_have(first + i);
  if (context_.holdings != nullptr) context_.holdings->holdings_grow(terms_.game, first, count);
  last_news_ = control_.now();
}

void SourcePool::handle(SourceReport report) {
  if (auto* progress = std::get_if<SpanProgress>(&report)) {
    mark_have(progress->first, progress->count);
    dispatcher_.drop_unwanted();
  } else if (auto* done = std::get_if<SpanDone>(&report)) {
    SourceState& source = sources_[done->source];
    dispatcher_.release(source, done->span);
    source.failures = 0;
  } else if (auto* failed = std::get_if<SpanFailed>(&report)) {
    handle_failure(*failed);
  } else if (auto* ended = std::get_if<SourceEnded>(&report)) {
    handle_end(*ended);
  } else if (auto* broken = std::get_if<StagingFailed>(&report)) {
    fatal_ = broken->error;
  }
}

void SourcePool::handle_end(const SourceEnded& ended) {
  SourceState& source = sources_[ended.source];
  source.task.running = false;
  source.not_before = control_.now() + kRetryDelay;
  dispatcher_.release_all(source);
  source.failures = 0;
  if (!source.excluded) last_error_ = ended.error;  // otherwise keep the reason for its exclusion
  context_.log.game(terms_.game).debug(terms_.game + ": " + ended.error.message);
}

/// Records that a source lacks some chunk of a span; its other chunks stay usable. Returns false if it lacks too many
/// chunks.
bool SourcePool::note_hole(SourceState& source, const SpanFailed& failure) {
  if (source.partial() || source.excluded) return false;
  SourceHoles& holes = source.holes;
  if (failure.span.count > 1) {
    holes.single_chunk_requests = std::max(holes.single_chunk_requests, 2 * failure.span.count);
    return true;
  }
  if (++holes.count > kMaxHoles) return false;
  if (holes.lacks.empty()) holes.lacks.resize(planner_.have().size());
  holes.lacks[failure.span.first] = true;
  std::vector<bool> holds = holes.lacks;
  holds.flip();
  planner_.offer(failure.source, holds);
  return true;
}

void SourcePool::handle_failure(const SpanFailed& failure) {
  SourceState& source = sources_[failure.source];
  dispatcher_.release(source, failure.span);
  if (failure.blame == Blame::hole && note_hole(source, failure)) {
    last_error_ = failure.error;
    return;
  }
  const bool missing = failure.blame == Blame::missing || failure.blame == Blame::hole;
  if (missing && source.partial()) {
    planner_.withdraw(failure.source);  // until it announces its holdings again
    return;
  }
  last_error_ = failure.error;
  if (failure.blame == Blame::local) fatal_ = failure.error;
  const bool wrong = failure.blame == Blame::content || failure.blame == Blame::lie;
  if (wrong && context_.on_wrong_chunk) context_.on_wrong_chunk(failure.source);
  if (failure.blame == Blame::lie && context_.on_liar) context_.on_liar(failure.source, failure.error.message);
  if (wrong || missing) {
    exclude(failure.source, source, failure.error);
  } else if (++source.failures >= kMaxFailures) {
    source.task.stop->request();
  }
}

/// Fetches nothing more from a source, and drops what it is sending.
void SourcePool::exclude(const PeerId& id, SourceState& source, const Error& error) {
  source.excluded = true;
  planner_.withdraw(id);
  source.task.stop->request();
  context_.log.game(terms_.game)
      .peer(id.hex())
      .warn(terms_.game + ": no longer using " + id.brief() + ": " + error.message);
}

/// A partial holder may still obtain what is missing, for kPatience after the last news.
bool SourcePool::may_bring_more(const SourcePeer& peer) const {
  const auto found = sources_.find(peer.id);
  if (found != sources_.end() && found->second.excluded) return false;
  const bool without_holes = found == sources_.end() || found->second.holes.lacks.empty();
  return (!peer.holds && without_holes) || planner_.is_useful(peer.id) || control_.now() - last_news_ < kPatience;
}

std::optional<PoolVerdict> SourcePool::verdict() const {
  if (fatal_) return PoolVerdict{fatal_};
  for (const auto& [id, source] : sources_) {
    const bool useful = !source.partial() && (source.holes.lacks.empty() || planner_.is_useful(id));
    if (source.task.running && (useful || !source.outstanding.empty())) return std::nullopt;
  }
  bool more = false;
  bool any_full_holder = false;
  for (const SourcePeer& peer : eligible_sources(context_, terms_)) {
    any_full_holder = any_full_holder || !peer.holds;
    more = more || may_bring_more(peer);
  }
  if (more || control_.now() < terms_.wait_until) return std::nullopt;
  if (any_full_holder && last_error_) return PoolVerdict{last_error_};
  return PoolVerdict{};
}

}  // namespace peer::transfer
