#include "transfer/download.h"

#include <algorithm>
#include <utility>

#include "runtime/call_on.h"
#include "runtime/offload_abandonable.h"
#include "transfer/reuse.h"

namespace peer::transfer {

namespace {
using namespace std::chrono_literals;

constexpr std::uint64_t kCheckpointBytes = 24 << 20;
constexpr rt::Duration kCheckpointInterval = 1s;
constexpr std::uint64_t kReuseBytes = 8 << 20;  // copied by one job
constexpr rt::Duration kTick = 250ms;
constexpr rt::Duration kRateWindow = 3s;
constexpr rt::Duration kRetryDelay = 1s;
/// Spans in a row that a source fails to bring: then its connection is given up and it is left alone for kRetryDelay.
constexpr unsigned kMaxFailures = 3;

std::string megabytes(std::uint64_t bytes) { return std::to_string((bytes + 999'999) / 1'000'000) + " MB"; }

DownloadOutcome failed(Error error) {
  DownloadOutcome outcome;
  outcome.kind = DownloadOutcome::Kind::failed;
  outcome.error = std::move(error);
  return outcome;
}
DownloadOutcome peers_gone() {
  DownloadOutcome outcome;
  outcome.kind = DownloadOutcome::Kind::peers_gone;
  return outcome;
}
}  // namespace

Download::Download(rt::Scope& parent, DownloadContext context, std::string game, Digest version,
                   std::function<void()> on_progress)
    : parent_(parent),
      context_(std::move(context)),
      game_(std::move(game)),
      version_(version),
      on_progress_(std::move(on_progress)),
      inbox_(*context_.control, 1 << 16) {}

Download::~Download() = default;

void Download::sources_changed() { inbox_.sender().send_urgent(LookAgain{}); }

Progress Download::progress() const {
  Progress progress;
  progress.phase = phase_;
  progress.rate = rate_;
  progress.bytes_reused = reused_;
  progress.bytes_received = received_before_;
  for (const auto& [id, source] : sources_) {
    const std::uint64_t bytes =
        source.received_before + (source.received ? source.received->load(std::memory_order_relaxed) : 0);
    progress.bytes_received += bytes;
    if (bytes > 0) progress.sources.emplace(id, bytes);
  }
  if (planner_) {
    progress.bytes_total = planner_->bytes_total();
    progress.bytes_done = planner_->bytes_had();
    if (rate_ > 0) progress.eta_s = static_cast<double>(progress.bytes_total - progress.bytes_done) / rate_;
  }
  return progress;
}

rt::Task<DownloadOutcome> Download::run(rt::CancellationToken token) {
  rt::Scope scope(parent_, "download " + game_, token);
  std::optional<DownloadOutcome> outcome;
  scope.spawn("plan", run_tasks(scope, outcome));
  std::exception_ptr failure;
  try {
    co_await scope.join();
  } catch (...) {
    failure = std::current_exception();
  }
  const bool finished = outcome && outcome->kind == DownloadOutcome::Kind::finished;
  if (staging_ && !finished && !discard_.token().requested()) {
    // Not under the token: what was received is logged whatever the reason of the end.
    auto close = [staging = staging_](const rt::StopFlag&) { return staging->close_cleanly(); };
    const Result<void> closed = co_await rt::offload(*context_.workers, std::move(close), rt::CancellationToken());
    if (!closed) context_.log.warn("the progress of " + game_ + " could not be kept: " + closed.error().message);
  }
  staging_.reset();
  if (failure) std::rethrow_exception(failure);
  if (!outcome) throw rt::Cancelled{};
  if (!finished) co_return std::move(*outcome);
  outcome->document = document_;
  co_return std::move(*outcome);
}

rt::Task<void> Download::run_tasks(rt::Scope& scope, std::optional<DownloadOutcome>& outcome) {
  scope.spawn("tick", tick_task(scope, scope.token()));
  std::optional<DownloadOutcome> early = co_await obtain_document(scope);
  if (!early) {
    DownloadOutcome prepared = co_await prepare(scope);
    if (prepared.kind != DownloadOutcome::Kind::finished) early = std::move(prepared);
  }
  if (!early) early = co_await reuse(scope.token());
  if (!early) early = co_await fetch_all(scope);
  if (early->kind == DownloadOutcome::Kind::finished) {
    DownloadOutcome published = co_await publish(scope.token());
    early = std::move(published);
  }
  outcome = std::move(early);
  scope.request_stop();
}

std::vector<SourcePeer> Download::listed() const {
  std::vector<SourcePeer> peers = context_.sources->sources(game_, version_);
  if (!only_.empty()) std::erase_if(peers, [this](const SourcePeer& peer) { return !only_.contains(peer.id); });
  return peers;
}

/// The document: what an earlier attempt left, else from the first peer that gives it.
rt::Task<std::optional<DownloadOutcome>> Download::obtain_document(rt::Scope& scope) {
  auto stored = [disk = context_.disk, root = context_.root, game = game_, version = version_](const rt::StopFlag&) {
    return Staging::stored_document(*disk, root, game, version);
  };
  auto kept = co_await rt::offload(*context_.workers, std::move(stored), scope.token());
  if (kept && *kept) document_ = *kept;

  std::set<PeerId> tried;
  while (!document_) {
    std::optional<SourcePeer> next;
    const std::vector<SourcePeer> peers = listed();
    for (const SourcePeer& peer : peers) {
      if (!tried.contains(peer.id)) {
        next = peer;
        break;
      }
    }
    if (!next) {
      if (peers.empty() && !waiting()) co_return peers_gone();
      if (!peers.empty() && last_error_ && last_error_->code != ErrorCode::unreachable) co_return failed(*last_error_);
      // Everyone was tried and none answered: again, until they answer or are gone.
      tried.clear();
      co_await rt::sleep_for(*context_.control, kRetryDelay, scope.token());
      continue;
    }
    tried.insert(next->id);
    ManifestJob job;
    job.transport = context_.transport;
    job.workers = context_.workers;
    job.peer = *next;
    job.game = game_;
    job.version = version_;
    auto start = [job](rt::CancellationToken t) { return fetch_manifest(job, t); };
    auto got = co_await rt::call_on(*context_.net, "manifest of " + game_, std::move(start), scope.token());
    if (got) {
      document_ = std::move(*got);
    } else {
      last_error_ = got.error();
      context_.log.warn("no manifest of " + game_ + " from " + next->name + ": " + got.error().message);
    }
  }
  co_return std::nullopt;
}

/// Space and staging; finished: go on.
rt::Task<DownloadOutcome> Download::prepare(rt::Scope& scope) {
  using Opened = Result<std::shared_ptr<Staging>>;
  auto open = [disk = context_.disk, root = context_.root, game = game_, version = version_, document = document_,
               reserve = context_.reserve](const rt::StopFlag& stop) -> Opened {
    auto staging = Staging::open_if_it_fits(*disk, root, game, version, document, reserve, stop);
    if (!staging) return std::unexpected(staging.error());
    return std::shared_ptr<Staging>(std::move(*staging));
  };
  Opened opened = co_await rt::offload(*context_.workers, std::move(open), scope.token());
  if (!opened) co_return failed(opened.error());
  staging_ = std::move(*opened);
  planner_.emplace(document_->manifest, staging_->have());
  received_before_ = planner_->bytes_had();
  last_checkpoint_ = context_.control->now();
  co_return DownloadOutcome{};
}

/// What lies on this disk already need not travel. Nothing: go on.
rt::Task<std::optional<DownloadOutcome>> Download::reuse(rt::CancellationToken token) {
  phase_ = Phase::fetching;
  if (!context_.local || planner_->complete()) co_return std::nullopt;
  auto find = [snapshot = context_.local(), document = document_, have = planner_->have()](const rt::StopFlag& stop) {
    return find_local_copies(*snapshot, document->manifest, have, stop);
  };
  const LocalCopies copies = co_await rt::offload(*context_.workers, std::move(find), token);
  if (copies.copies.empty()) co_return std::nullopt;
  context_.log.info(game_ + ": " + megabytes(copies.bytes) + " of it are on this disk already");
  for (std::size_t next = 0; next < copies.copies.size();) {
    while (staging_->unlogged_bytes() + kReuseBytes > kMaxUnlogged) {
      co_await rt::sleep_for(*context_.control, kTick / 50, token);
      while (auto report = inbox_.try_receive()) handle(std::move(*report));
      if (fatal_) co_return failed(*fatal_);  // a checkpoint that failed makes no room
    }
    token.throw_if_requested();
    auto copy = [this, &copies, next](const rt::StopFlag& stop) {
      return copy_local(*context_.disk, *staging_, copies, next, kReuseBytes, stop);
    };
    const Result<Reused> copied = co_await rt::offload(*context_.workers, std::move(copy), token);
    if (!copied) co_return failed(copied.error());
    for (const std::uint64_t chunk : copied->chunks) planner_->had(chunk);
    next = copied->next;
    reused_ = planner_->bytes_had() - received_before_;
  }
  co_return std::nullopt;
}

rt::Task<DownloadOutcome> Download::fetch_all(rt::Scope& scope) {
  rt::Scope sources(scope, "sources of " + game_);
  std::optional<DownloadOutcome> result;
  std::exception_ptr failure;
  try {
    while (!planner_->complete() && !result) {
      refresh_sources(sources);
      feed();
      result = verdict();
      if (result) break;
      auto report = co_await inbox_.receive(scope.token());
      while (report) {
        handle(std::move(*report));
        report = inbox_.try_receive();
      }
    }
  } catch (...) {
    failure = std::current_exception();
  }
  sources.request_stop();  // also when all is there: nobody waits for a source that is still being dialled
  co_await sources.join();
  if (failure) std::rethrow_exception(failure);
  if (!result) result.emplace();
  co_return std::move(*result);
}

/// Starts a task for every listed peer that has none, and stops those of peers that are no longer listed: the
/// connection to a dead peer would be waited for much longer.
void Download::refresh_sources(rt::Scope& scope) {
  std::vector<SourcePeer> peers = listed();
  for (const auto& [id, source] : sources_) {
    const auto listed_now = std::ranges::find(peers, id, &SourcePeer::id);
    const bool same = listed_now != peers.end() && listed_now->way == source.way;
    if (source.running && !same) source.stop->request();
  }
  for (SourcePeer& peer : peers) {
    Source& source = sources_[peer.id];
    if (source.running || source.excluded || context_.control->now() < source.not_before) continue;
    if (source.received) source.received_before += source.received->load();
    source.spans = std::make_shared<rt::Channel<Span>>(context_.net->executor(), kLanes * 2);
    source.received = std::make_shared<std::atomic<std::uint64_t>>(0);
    source.stop = std::make_unique<rt::CancellationSource>(scope.token());
    source.running = true;
    source.way = peer.way;
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
    job.received = source.received;
    scope.spawn("source " + peer.name, source_task(peer.id, std::move(job), source.stop->token()));
  }
}

rt::Task<void> Download::source_task(PeerId id, SourceJob job, rt::CancellationToken token) {
  const rt::Channel<SourceReport>::Sender reports = job.reports;
  auto start = [job](rt::CancellationToken t) { return run_source(job, t); };
  SourceEnded ended{id, Blame::network, Error{ErrorCode::unreachable, id.brief() + " is no longer asked", 0}};
  try {
    ended = co_await rt::call_on(*context_.net, "source " + id.brief(), std::move(start), token);
  } catch (const rt::Cancelled&) {
  } catch (const std::exception& e) {
    ended.error = Error{ErrorCode::internal, "fetching from " + id.brief() + " failed: " + e.what(), 0};
  }
  reports.send_urgent(std::move(ended));
}

/// Hands out spans, as long as what is received but not durable stays within bounds.
void Download::feed() {
  std::uint64_t under_way = staging_->unlogged_bytes();
  for (const auto& [id, source] : sources_) {
    for (const Span& span : source.outstanding) under_way += span.bytes;
  }
  bool handed = true;
  while (handed) {
    handed = false;
    for (auto& [id, source] : sources_) {
      if (!source.running || source.excluded || source.outstanding.size() >= kLanes + 1) continue;
      if (under_way + kSpanBytes > kMaxUnlogged) return;
      const std::optional<Span> span = planner_->next();
      if (!span) return;
      if (!source.spans->sender().try_send(*span)) {
        planner_->returned(*span);
        continue;
      }
      source.outstanding.push_back(*span);
      under_way += span->bytes;
      handed = true;
    }
  }
}

void Download::give_back(Source& source, const Span& span) {
  std::erase(source.outstanding, span);
  planner_->returned(span);
}

void Download::handle(SourceReport report) {
  if (auto* progress = std::get_if<SpanProgress>(&report)) {
    for (std::uint64_t i = 0; i < progress->count; ++i) planner_->had(progress->first + i);
  } else if (auto* done = std::get_if<SpanDone>(&report)) {
    Source& source = sources_[done->source];
    std::erase(source.outstanding, done->span);
    source.failures = 0;
  } else if (auto* span = std::get_if<SpanFailed>(&report)) {
    Source& source = sources_[span->source];
    give_back(source, span->span);
    last_error_ = span->error;
    if (span->blame == Blame::local) fatal_ = span->error;
    if (span->blame == Blame::lie && context_.on_liar) context_.on_liar(span->source, span->error.message);
    if (span->blame == Blame::content || span->blame == Blame::missing || span->blame == Blame::lie) {
      source.excluded = true;
      source.stop->request();  // nothing more of it is wanted, what is under way included
      context_.log.warn(game_ + ": no longer asking " + span->source.brief() + ": " + span->error.message);
    } else if (++source.failures >= kMaxFailures) {
      source.stop->request();
    }
  } else if (auto* ended = std::get_if<SourceEnded>(&report)) {
    Source& source = sources_[ended->source];
    source.running = false;
    source.not_before = context_.control->now() + kRetryDelay;
    for (const Span& each : source.outstanding) planner_->returned(each);
    source.outstanding.clear();
    source.failures = 0;
    if (!source.excluded) last_error_ = ended->error;  // else it is known better
    context_.log.debug(game_ + ": " + ended->error.message);
  } else if (auto* broken = std::get_if<StagingFailed>(&report)) {
    fatal_ = broken->error;
  }
}

/// Over, if nobody can bring what is missing.
std::optional<DownloadOutcome> Download::verdict() const {
  if (fatal_) return failed(*fatal_);
  bool any_running = false;
  for (const auto& [id, source] : sources_) any_running = any_running || source.running;
  if (any_running) return std::nullopt;
  bool any_hope = false;
  bool any_listed = false;
  for (const SourcePeer& peer : listed()) {
    any_listed = true;
    const auto found = sources_.find(peer.id);
    any_hope = any_hope || found == sources_.end() || !found->second.excluded;
  }
  if (any_hope || waiting()) return std::nullopt;
  if (any_listed && last_error_) return failed(*last_error_);
  return peers_gone();
}

rt::Task<void> Download::checkpoint_task(rt::CancellationToken token) {
  token.throw_if_requested();
  auto checkpoint = [staging = staging_](const rt::StopFlag&) { return staging->checkpoint(); };
  // A sync takes as long as the disk does. Only one whose data are discarded is not waited for.
  const Result<void> done =
      co_await rt::offload_abandonable(*context_.workers, std::move(checkpoint), discard_.token());
  checkpointing_ = false;
  last_checkpoint_ = context_.control->now();
  if (!done) {
    inbox_.sender().send_urgent(StagingFailed{done.error()});
  } else {
    inbox_.sender().send_urgent(LookAgain{});
  }
}

void Download::measure() {
  const Progress now = progress();
  samples_.push_back({context_.control->now(), now.bytes_received - received_before_});
  while (samples_.size() > 2 && samples_.back().at - samples_.front().at > kRateWindow)
    samples_.erase(samples_.begin());
  const double seconds = std::chrono::duration<double>(samples_.back().at - samples_.front().at).count();
  rate_ = seconds > 0 ? static_cast<double>(samples_.back().received - samples_.front().received) / seconds : 0;
}

rt::Task<void> Download::tick_task(rt::Scope& scope, rt::CancellationToken token) {
  rt::TimePoint next_report = context_.control->now();
  for (;;) {
    // Finer than the reports: at the speed of the wire the unlogged bytes fill up within a few ticks.
    co_await rt::sleep_for(*context_.control, kTick / 10, token);
    if (staging_ && phase_ == Phase::fetching && !checkpointing_) {
      const std::uint64_t unlogged = staging_->unlogged_bytes();
      const bool due = context_.control->now() - last_checkpoint_ >= kCheckpointInterval;
      if (unlogged >= kCheckpointBytes || (unlogged > 0 && due)) {
        checkpointing_ = true;
        scope.spawn("checkpoint", checkpoint_task(token));
      }
    }
    if (context_.control->now() < next_report) continue;
    next_report = context_.control->now() + kTick;
    measure();
    inbox_.sender().send_urgent(LookAgain{});  // a source may be due for another try
    if (on_progress_) on_progress_();
  }
}

rt::Task<DownloadOutcome> Download::publish(rt::CancellationToken token) {
  phase_ = Phase::publishing;
  measure();
  if (on_progress_) on_progress_();
  // A checkpoint under way must end first: publish() runs alone.
  while (checkpointing_) co_await rt::sleep_for(*context_.control, 1ms, token);
  auto publish = [staging = staging_](const rt::StopFlag&) { return staging->publish(); };
  const Result<void> published = co_await rt::offload(*context_.workers, std::move(publish), token);
  if (!published) co_return failed(published.error());
  co_return DownloadOutcome{};
}

}  // namespace peer::transfer
