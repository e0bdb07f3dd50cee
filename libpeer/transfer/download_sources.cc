// How a download uses its sources: who is asked for what, and what becomes of it.
#include <algorithm>
#include <utility>

#include "libpeer/base/fault.h"
#include "libpeer/runtime/call_on.h"
#include "libpeer/runtime/with_scope.h"
#include "libpeer/transfer/download.h"

namespace peer::transfer {

namespace {
using namespace std::chrono_literals;

/// Spans in a row that a source fails to bring: then its connection is given up and it is left alone for kRetryDelay.
constexpr unsigned kMaxFailures = 3;
/// With peers that have a part of it only: how long one of them may take to come by something that is missing here.
constexpr runtime::Duration kPatience = 10s;
/// Chunks that a source which offers the version may turn out to lack.
constexpr unsigned kMaxHoles = 4096;
/// Sooner by less than that is no reason to fetch something twice.
constexpr double kWorthwhile = 0.25;
}  // namespace

/// At the end the sources are stopped, including those that are still being dialed.
runtime::Task<DownloadOutcome> Download::fetch_all(runtime::Scope& scope) {
  const auto fetch = [this](runtime::Scope& sources) { return fetch_from(sources); };
  co_return co_await runtime::with_scope(scope, "sources of " + game_, fetch, scope.token());
}

runtime::Task<DownloadOutcome> Download::fetch_from(runtime::Scope& sources) {
  std::optional<DownloadOutcome> result;
  last_news_ = context_.control->now();
  while (!planner_->complete() && !result) {
    refresh_sources(sources);
    feed();
    result = verdict();
    if (result) break;
    auto report = co_await inbox_.receive(sources.token());
    PEER_FAULT_POINT("download");
    while (report) {
      handle(std::move(*report));
      report = inbox_.try_receive();
    }
  }
  if (!result) result.emplace();
  co_return std::move(*result);
}

/// Starts a task for every listed peer that has none and is of use, and stops those of peers that are no longer listed:
/// the connection to a dead peer would be waited for much longer.
void Download::refresh_sources(runtime::Scope& scope) {
  std::vector<SourcePeer> peers = listed();
  for (auto& [id, source] : sources_) {
    const auto listed_now = std::ranges::find(peers, id, &SourcePeer::id);
    if (listed_now == peers.end() && source.holds) {
      planner_->withdraws(id);
      source.holds.reset();
    }
    const bool same = listed_now != peers.end() && listed_now->way == source.way;
    if (source.running && !same) source.stop->request();
  }
  for (SourcePeer& peer : peers) {
    Source& source = sources_[peer.id];
    if (source.excluded) continue;
    take_offer(peer, source);
    if (source.running || context_.control->now() < source.not_before || !planner_->is_of_use(peer.id)) continue;
    start_source(std::move(peer), source, scope);
  }
}

/// What it holds now, if that is news.
void Download::take_offer(const SourcePeer& peer, Source& source) {
  const std::uint64_t revision = peer.holds ? peer.holds_revision : kAll;
  if (source.holds == revision) return;
  source.holds = revision;
  last_news_ = context_.control->now();
  if (!peer.holds) {
    planner_->offers_all(peer.id);
  } else if (peer.holds->size() == planner_->have().size()) {
    planner_->offers(peer.id, *peer.holds);
  }
}

void Download::start_source(SourcePeer peer, Source& source, runtime::Scope& scope) {
  source.received_before = source.received();
  source.spans = std::make_shared<runtime::Channel<Assignment>>(context_.net->executor(), kSpansPerSource);
  source.meters = std::make_shared<SourceMeters>();
  source.counted = {};
  source.stop = std::make_unique<runtime::CancellationSource>(scope.token());
  source.running = true;
  source.busy = false;
  source.way = peer.way;
  peer.holds.reset();  // it is this loop's
  SourceJob job(inbox_.sender());
  job.transport = context_.transport;
  job.net = context_.net;
  job.workers = context_.workers;
  job.peer = peer;
  job.game = game_;
  job.version = version_;
  job.document = document_;
  job.staging = staging_;
  job.down = context_.down;
  job.spans = source.spans;
  job.meters = source.meters;
  scope.spawn("source " + peer.name, source_task(peer.id, std::move(job), source.stop->token()));
}

runtime::Task<void> Download::source_task(PeerId id, SourceJob job, runtime::CancellationToken token) {
  const runtime::Channel<SourceReport>::Sender reports = job.reports;
  auto start = [job](runtime::CancellationToken t) { return run_source(job, t); };
  SourceEnded ended{id, Blame::network, Error{ErrorCode::unreachable, id.brief() + " is no longer asked", 0}};
  try {
    ended = co_await runtime::call_on(*context_.net, "source " + id.brief(), std::move(start), token);
  } catch (const runtime::Cancelled&) {
  } catch (const std::exception& e) {
    ended.error = Error{ErrorCode::internal, "fetching from " + id.brief() + " failed: " + e.what(), 0};
  }
  reports.send_urgent(std::move(ended));
}

/// Hands out spans, as long as what is received but not durable stays within bounds.
void Download::feed() {
  const runtime::TimePoint now = context_.control->now();
  std::uint64_t under_way = staging_->unlogged_bytes();
  for (auto& [id, source] : sources_) {
    under_way += source.held;
    if (source.running) source.pace.update(now, source.received(), source.busy);
  }
  blocked_ = false;
  std::set<PeerId> sated;
  while (const auto next = hungriest(sated)) {
    Source& source = sources_.at(*next);
    if (under_way + kSpanBytes > kMaxUnlogged) {
      blocked_ = true;
      break;
    }
    std::optional<Span> span = planner_->next(*next, source.careful > 0 ? 1 : source.pace.span());
    if (span && source.careful > 0) --source.careful;
    if (!span) span = take_over(*next, source);
    if (!span) {
      sated.insert(*next);
      continue;
    }
    Assignment assignment{*span};
    if (!source.spans->sender().try_send(assignment)) {
      planner_->released(*span);
      sated.insert(*next);
      continue;
    }
    source.outstanding.push_back(std::move(assignment));
    source.held += span->bytes;
    under_way += span->bytes;
  }
  for (auto& [id, source] : sources_) source.busy = !source.outstanding.empty();
}

/// Of those that may hold more, the one that has least of what it may.
std::optional<PeerId> Download::hungriest(const std::set<PeerId>& sated) const {
  std::optional<PeerId> found;
  double least = 1;
  for (const auto& [id, source] : sources_) {
    if (!source.running || source.excluded || source.outstanding.size() >= kSpansPerSource) continue;
    const std::uint64_t window = source.pace.window();
    if (source.held > 0 && source.held + source.pace.span() > window) continue;
    const double share = static_cast<double>(source.held) / static_cast<double>(window);
    if (share >= least || sated.contains(id)) continue;
    found = id;
    least = share;
  }
  return found;
}

/// When all that a source could bring is on its way from others: the end of what the slowest of them holds, if this one
/// would have it much sooner.
std::optional<Span> Download::take_over(const PeerId& id, const Source& source) {
  const auto seconds = [](std::uint64_t bytes, const Source& by) {
    const double rate = by.pace.rate().value_or(static_cast<double>(kFirstWindow));
    return static_cast<double>(bytes) / std::max(rate, 1.0);
  };
  const std::uint64_t most = source.pace.span();
  const double here = seconds(source.held + most, source);
  std::vector<std::pair<double, const Source*>> slower;
  for (const auto& [other, each] : sources_) {
    if (other == id || each.outstanding.empty()) continue;
    const double there = seconds(each.held, each);
    if (there > 2 * here + kWorthwhile) slower.emplace_back(there, &each);
  }
  std::ranges::sort(slower, std::greater<>(), &std::pair<double, const Source*>::first);
  for (const auto& [there, each] : slower) {
    for (auto held = each->outstanding.rbegin(); held != each->outstanding.rend(); ++held) {
      if (const auto span = planner_->duplicate(id, held->span, most)) {
        ++taken_over_;
        return span;
      }
    }
  }
  return std::nullopt;
}

void Download::had(std::uint64_t first, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) planner_->had(first + i);
  if (context_.holdings != nullptr) context_.holdings->holdings_grow(game_, first, count);
  last_news_ = context_.control->now();
}

/// Of two sources with the same span the faster one has brought it.
void Download::drop_unwanted() {
  if (taken_over_ == 0) return;
  for (auto& [id, source] : sources_) {
    for (const Assignment& each : source.outstanding) {
      if (planner_->bytes_missing(each.span) == 0) each.unwanted->store(true, std::memory_order_relaxed);
    }
  }
}

void Download::release(Source& source, const Span& span) {
  const auto held = std::ranges::find(source.outstanding, span, &Assignment::span);
  if (held == source.outstanding.end()) return;
  source.outstanding.erase(held);
  source.held -= span.bytes;
  planner_->released(span);
}

void Download::handle(SourceReport report) {
  if (auto* progress = std::get_if<SpanProgress>(&report)) {
    had(progress->first, progress->count);
    drop_unwanted();
  } else if (auto* done = std::get_if<SpanDone>(&report)) {
    Source& source = sources_[done->source];
    release(source, done->span);
    source.failures = 0;
  } else if (auto* span = std::get_if<SpanFailed>(&report)) {
    take_failure(*span);
  } else if (auto* ended = std::get_if<SourceEnded>(&report)) {
    Source& source = sources_[ended->source];
    source.running = false;
    source.not_before = context_.control->now() + kRetryDelay;
    while (!source.outstanding.empty()) release(source, source.outstanding.back().span);
    source.failures = 0;
    if (!source.excluded) last_error_ = ended->error;  // else it is known better
    context_.log.game(game_).debug(game_ + ": " + ended->error.message);
  } else if (auto* broken = std::get_if<StagingFailed>(&report)) {
    fatal_ = broken->error;
  }
}

/// Somebody has changed files of it over there: all the rest is as good as ever. False: it is more hole than game.
bool Download::note_hole(Source& source, const SpanFailed& failure) {
  if (source.partial() || source.excluded) return false;
  if (failure.span.count > 1) {
    source.careful = std::max(source.careful, 2 * failure.span.count);
    return true;
  }
  if (++source.holes > kMaxHoles) return false;
  if (source.lacks.empty()) source.lacks.resize(planner_->have().size());
  source.lacks[failure.span.first] = true;
  std::vector<bool> holds = source.lacks;
  holds.flip();
  planner_->offers(failure.source, holds);
  return true;
}

void Download::take_failure(const SpanFailed& failure) {
  Source& source = sources_[failure.source];
  release(source, failure.span);
  if (failure.blame == Blame::hole && note_hole(source, failure)) {
    last_error_ = failure.error;
    return;
  }
  const bool missing = failure.blame == Blame::missing || failure.blame == Blame::hole;
  if (missing && source.partial()) {
    planner_->withdraws(failure.source);  // until it says anew what it holds
    return;
  }
  last_error_ = failure.error;
  if (failure.blame == Blame::local) fatal_ = failure.error;
  const bool wrong = failure.blame == Blame::content || failure.blame == Blame::lie;
  if (wrong && context_.on_wrong_chunk) context_.on_wrong_chunk(failure.source);
  if (failure.blame == Blame::lie && context_.on_liar) context_.on_liar(failure.source, failure.error.message);
  if (wrong || missing) {
    source.excluded = true;
    planner_->withdraws(failure.source);
    source.stop->request();  // nothing more of it is wanted, what is under way included
    context_.log.game(game_)
        .peer(failure.source.hex())
        .warn(game_ + ": no longer asking " + failure.source.brief() + ": " + failure.error.message);
  } else if (++source.failures >= kMaxFailures) {
    source.stop->request();
  }
}

/// Over, if nobody can bring what is missing.
std::optional<DownloadOutcome> Download::verdict() const {
  if (fatal_) return DownloadOutcome::failure(*fatal_);
  for (const auto& [id, source] : sources_) {
    const bool hopeful = !source.partial() && (source.lacks.empty() || planner_->is_of_use(id));
    if (source.running && (hopeful || !source.outstanding.empty())) return std::nullopt;
  }
  bool any_hope = false;
  bool any_listed = false;
  for (const SourcePeer& peer : listed()) {
    any_listed = any_listed || !peer.holds;
    const auto found = sources_.find(peer.id);
    const bool excluded = found != sources_.end() && found->second.excluded;
    // One that is downloading it too may come by what is missing; after a while nobody does.
    const bool whole = found == sources_.end() || found->second.lacks.empty();
    const bool promising =
        (!peer.holds && whole) || planner_->is_of_use(peer.id) || context_.control->now() - last_news_ < kPatience;
    any_hope = any_hope || (!excluded && promising);
  }
  if (any_hope || waiting()) return std::nullopt;
  if (any_listed && last_error_) return DownloadOutcome::failure(*last_error_);
  return DownloadOutcome::gone();
}

}  // namespace peer::transfer
