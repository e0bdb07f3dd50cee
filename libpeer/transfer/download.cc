#include "libpeer/transfer/download.h"

#include <algorithm>
#include <utility>

#include "libpeer/base/fault.h"
#include "libpeer/base/units.h"
#include "libpeer/runtime/call_on.h"
#include "libpeer/runtime/with_scope.h"
#include "libpeer/staging/local_chunks.h"
#include "libpeer/transfer/fetch_manifest.h"

namespace peer::transfer {

namespace {
using namespace std::chrono_literals;

constexpr std::uint64_t kReuseBytes = 8 << 20;  // copied by one job
constexpr runtime::Duration kReportInterval = 250ms;
/// Shorter than the report interval: at wire speed the limit of unlogged bytes is reached within a few ticks.
constexpr runtime::Duration kTick = kReportInterval / 10;
constexpr runtime::Duration kRetryDelay = 1s;  // after an attempt in which no peer sent the manifest
}  // namespace

Download::Download(runtime::Scope& parent, DownloadContext context, std::string game, Digest version,
                   std::function<void()> on_progress)
    : parent_(parent),
      context_(std::move(context)),
      terms_{std::move(game), version},
      on_progress_(std::move(on_progress)),
      inbox_(parent.executor()) {}

Download::~Download() = default;

void Download::sources_changed() { inbox_.sender().send_urgent(Wakeup{}); }

Progress Download::progress() const {
  Progress progress;
  progress.phase = phase_;
  progress.rate = meter_.rate();
  progress.bytes_reused = counts_.reused_before + counts_.reused;
  progress.bytes_received = counts_.staged_before - std::min(counts_.staged_before, counts_.reused_before);
  if (pool_) progress.sources = pool_->received();
  for (const auto& [id, bytes] : progress.sources) progress.bytes_received += bytes;
  std::erase_if(progress.sources, [](const auto& source) { return source.second == 0; });
  const bool limited = context_.down != nullptr && context_.down->binding(control().now());
  progress.bottleneck = limited ? "limit" : meter_.bottleneck();
  if (planner_) {
    progress.bytes_total = planner_->bytes_total();
    progress.bytes_done = planner_->bytes_have();
    const auto left = static_cast<double>(progress.bytes_total - progress.bytes_done);
    if (progress.rate > 0) progress.eta_s = left / progress.rate;
  }
  return progress;
}

runtime::Task<DownloadOutcome> Download::run(runtime::CancellationToken token) {
  runtime::Scope scope(parent_, "download " + terms_.game, token);
  Early outcome;
  scope.spawn("plan", run_tasks(scope, outcome));
  std::exception_ptr failure;
  try {
    co_await scope.join();
  } catch (...) {
    failure = std::current_exception();
  }
  const bool finished = outcome && outcome->kind == DownloadOutcome::Kind::finished;
  // After the download has finished, the share exists as long as this object, until the library offers the game.
  if (!finished) share_.reset();
  if (target_.staging && !finished && !discard_.token().requested()) co_await close_staging();
  checkpointer_.reset();
  target_.staging.reset();
  if (failure) std::rethrow_exception(failure);
  if (!outcome) throw runtime::Cancelled{};
  if (finished) outcome->document = target_.document;
  co_return std::move(*outcome);
}

/// Logs what was received. Not cancellable, so that it happens however the download ends.
runtime::Task<void> Download::close_staging() {
  auto close = [staging = target_.staging](const runtime::StopFlag&) { return staging->close_cleanly(); };
  const runtime::CancellationToken never;
  const Result<void> closed = co_await runtime::offload(*context_.workers, std::move(close), never);
  if (closed) co_return;
  context_.log.game(terms_.game).warn("cannot save the progress of " + terms_.game + ": " + closed.error().message);
}

runtime::Task<void> Download::run_tasks(runtime::Scope& scope, Early& outcome) {
  scope.spawn("tick", tick_task(scope, scope.token()));
  std::optional<Error> last_error;
  Early early = co_await obtain_document(last_error, scope.token());
  if (!early) early = co_await prepare(std::move(last_error), scope.token());
  if (!early) early = co_await reuse(scope.token());
  if (!early) early = co_await fetch_all(scope);
  if (early->kind == DownloadOutcome::Kind::finished) {
    DownloadOutcome published = co_await publish(scope.token());
    early = std::move(published);
  }
  outcome = std::move(early);
  scope.request_stop();
}

/// Reads the manifest that an earlier run stored, or fetches it from the first peer that sends it.
runtime::Task<Download::Early> Download::obtain_document(std::optional<Error>& last_error,
                                                         runtime::CancellationToken token) {
  auto load = [disk = context_.disk, root = context_.root, game = terms_.game, version = terms_.version](
                  const runtime::StopFlag&) { return staging::Staging::stored_document(*disk, root, game, version); };
  auto stored = co_await runtime::offload(*context_.workers, std::move(load), token);
  if (stored && *stored) target_.document = *stored;

  while (!target_.document) {
    bool unreachable = false;
    ManifestSearch search;
    search.net = context_.net;
    search.transport = context_.transport;
    search.workers = context_.workers;
    search.random = context_.random;
    search.game = terms_.game;
    search.version = terms_.version;
    search.sources = [this] { return eligible_sources(context_, terms_); };
    search.on_failure = [this, &last_error, &unreachable](const SourcePeer& peer, const Error& error) {
      unreachable = unreachable || error.code == ErrorCode::unreachable;
      last_error = error;
      context_.log.game(terms_.game)
          .warn("no manifest of " + terms_.game + " from " + peer.name + ": " + error.message);
    };
    Result<ManifestPtr> got = co_await find_manifest(parent_, std::move(search), token);
    if (got) {
      target_.document = std::move(*got);
      break;
    }
    const bool peers = !eligible_sources(context_, terms_).empty();
    if (!peers && control().now() >= terms_.wait_until) co_return DownloadOutcome::gone();
    if (peers && last_error && !unreachable && last_error->code != ErrorCode::unreachable) {
      co_return DownloadOutcome::failure(*last_error);
    }
    // No peer is reachable: try all of them again, until they answer or are gone.
    co_await runtime::sleep_for(control(), kRetryDelay, token);
  }
  co_return std::nullopt;
}

/// Opens the staging, if the game fits on the disk.
runtime::Task<Download::Early> Download::prepare(std::optional<Error> last_error, runtime::CancellationToken token) {
  using Opened = Result<std::shared_ptr<staging::Staging>>;
  auto open = [disk = context_.disk, root = context_.root, game = terms_.game, version = terms_.version,
               document = target_.document, reserve = context_.reserve](const runtime::StopFlag& stop) -> Opened {
    auto staging = staging::Staging::open_if_it_fits(*disk, root, game, version, document, reserve, stop);
    if (!staging) return std::unexpected(staging.error());
    return std::shared_ptr<staging::Staging>(std::move(*staging));
  };
  Opened opened = co_await runtime::offload(*context_.workers, std::move(open), token);
  if (!opened) co_return DownloadOutcome::failure(opened.error());
  target_.staging = std::move(*opened);
  planner_.emplace(target_.document->manifest, target_.staging->have(), context_.random->below(UINT64_MAX));
  pool_.emplace(context_, terms_, control(), *planner_, target_, inbox_.sender(), std::move(last_error));
  checkpointer_.emplace(control(), *context_.workers, target_.staging, inbox_.sender(), discard_.token());
  share_.emplace(context_, terms_, target_.document, target_.staging);
  counts_.staged_before = planner_->bytes_have();
  counts_.reused_before = std::min(counts_.reused_before, counts_.staged_before);
  co_return std::nullopt;
}

/// Copies the chunks that games on this disk have.
runtime::Task<Download::Early> Download::reuse(runtime::CancellationToken token) {
  phase_ = Phase::fetching;
  if (!context_.local || planner_->complete()) co_return std::nullopt;
  auto find = [snapshot = context_.local(), document = target_.document,
               have = planner_->have()](const runtime::StopFlag& stop) {
    return staging::find_local_copies(*snapshot, document->manifest, have, stop);
  };
  const staging::LocalCopies copies = co_await runtime::offload(*context_.workers, std::move(find), token);
  if (copies.copies.empty()) co_return std::nullopt;
  context_.log.game(terms_.game).info(terms_.game + ": reuses " + megabytes(copies.bytes) + " from this disk");
  for (std::size_t next = 0; next < copies.copies.size();) {
    while (target_.staging->unlogged_bytes() + kReuseBytes > kMaxUnlogged) {
      co_await runtime::sleep_for(control(), kTick / 5, token);
      while (auto report = inbox_.try_receive()) pool_->handle(std::move(*report));
      if (pool_->fatal()) co_return DownloadOutcome::failure(*pool_->fatal());  // a failed checkpoint frees no room
    }
    token.throw_if_requested();
    auto copy = [this, &copies, next](const runtime::StopFlag& stop) {
      return copy_local(*context_.disk, *target_.staging, copies, next, kReuseBytes, stop);
    };
    const Result<staging::Reused> copied = co_await runtime::offload(*context_.workers, std::move(copy), token);
    if (!copied) co_return DownloadOutcome::failure(copied.error());
    for (const std::uint64_t chunk : copied->chunks) pool_->mark_have(chunk, 1);
    next = copied->next;
    counts_.reused = planner_->bytes_have() - counts_.staged_before;
  }
  co_return std::nullopt;
}

/// Afterwards the sources are stopped, including those that are still being dialed.
runtime::Task<DownloadOutcome> Download::fetch_all(runtime::Scope& scope) {
  const auto fetch = [this](runtime::Scope& sources) { return fetch_from(sources); };
  co_return co_await runtime::with_scope(scope, "sources of " + terms_.game, fetch, scope.token());
}

runtime::Task<DownloadOutcome> Download::fetch_from(runtime::Scope& sources) {
  pool_->restart_patience();
  while (!planner_->complete()) {
    pool_->refresh(sources);
    pool_->dispatch();
    if (const std::optional<PoolVerdict> verdict = pool_->verdict()) {
      if (verdict->error) co_return DownloadOutcome::failure(*verdict->error);
      co_return DownloadOutcome::gone();
    }
    auto report = co_await inbox_.receive(sources.token());
    PEER_FAULT_POINT("download");
    while (report) {
      pool_->handle(std::move(*report));
      report = inbox_.try_receive();
    }
  }
  co_return DownloadOutcome{};
}

void Download::sample_rate() {
  std::uint64_t received = 0;
  if (pool_) {
    for (const auto& [id, bytes] : pool_->received()) received += bytes;
  }
  meter_.sample_rate(control().now(), received);
}

void Download::sample_time() {
  if (phase_ != Phase::fetching) {
    meter_.reset_bottleneck();
    return;
  }
  TimeBreakdown time;
  time.samples = 1;
  time.blocked = pool_->blocked() ? 1 : 0;
  time.syncing = checkpointer_->running() ? 1 : 0;
  pool_->add_times(time);
  meter_.sample_time(time);
}

runtime::Task<void> Download::tick_task(runtime::Scope& scope, runtime::CancellationToken token) {
  runtime::TimePoint next_report = control().now();
  for (;;) {
    co_await runtime::sleep_for(control(), kTick, token);
    sample_time();
    if (phase_ == Phase::fetching) checkpointer_->start_if_due(scope);
    if (control().now() < next_report) continue;
    next_report = control().now() + kReportInterval;
    sample_rate();
    inbox_.sender().send_urgent(Wakeup{});  // a source may be due for another attempt
    if (on_progress_) on_progress_();
  }
}

runtime::Task<DownloadOutcome> Download::publish(runtime::CancellationToken token) {
  phase_ = Phase::publishing;
  sample_rate();
  if (on_progress_) on_progress_();
  // publish() must not run beside a checkpoint.
  while (checkpointer_->running()) co_await runtime::sleep_for(control(), 1ms, token);
  auto publish = [staging = target_.staging, known = installed_here(), keep_own = terms_.keep_own_game](
                     const runtime::StopFlag&) { return staging->publish(known.get(), keep_own); };
  Result<staging::UserFiles> published = co_await runtime::offload(*context_.workers, std::move(publish), token);
  if (!published) co_return DownloadOutcome::failure(published.error());
  DownloadOutcome outcome;
  outcome.user_files = std::move(*published);
  co_return outcome;
}

std::shared_ptr<const library::OfferedGame> Download::installed_here() const {
  if (!context_.local) return nullptr;
  const auto snapshot = context_.local();
  const library::LocalGame* game = snapshot->find(terms_.game);
  return game != nullptr ? game->offered : nullptr;
}

}  // namespace peer::transfer
