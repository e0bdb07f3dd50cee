#include "libpeer/transfer/download.h"

#include <algorithm>
#include <utility>

#include "libpeer/base/units.h"
#include "libpeer/runtime/call_on.h"
#include "libpeer/runtime/offload_abandonable.h"
#include "libpeer/staging/local_chunks.h"

namespace peer::transfer {

namespace {
using namespace std::chrono_literals;

constexpr std::uint64_t kCheckpointBytes = 24 << 20;
constexpr runtime::Duration kCheckpointInterval = 1s;
constexpr std::uint64_t kReuseBytes = 8 << 20;  // copied by one job
constexpr runtime::Duration kTick = 250ms;
constexpr runtime::Duration kRateWindow = 3s;
constexpr std::uint64_t kLooks = 40;  // a second of ticks
}  // namespace

Download::Download(runtime::Scope& parent, DownloadContext context, std::string game, Digest version,
                   std::function<void()> on_progress)
    : parent_(parent),
      context_(std::move(context)),
      game_(std::move(game)),
      version_(version),
      on_progress_(std::move(on_progress)),
      inbox_(*context_.control) {}

Download::~Download() = default;

Download::Sharing::Sharing(const DownloadContext& context, const std::string& game, const Digest& version,
                           std::shared_ptr<const protocol::ManifestDocument> document,
                           std::shared_ptr<staging::Staging> staging)
    : context_(context), game_(game) {
  if (context_.partial != nullptr) {
    auto offered = std::make_shared<library::OfferedGame>();
    offered->version = version;
    offered->document = std::move(document);
    auto partial = std::make_shared<PartialGame>();
    partial->game = game;
    partial->version = std::move(offered);
    partial->staging = staging;
    context_.partial->put(std::move(partial));
  }
  if (context_.holdings != nullptr) context_.holdings->holdings_begin(game, version, staging->have());
}

Download::Sharing::~Sharing() {
  if (context_.holdings != nullptr) context_.holdings->holdings_end(game_);
  if (context_.partial != nullptr) context_.partial->remove(game_);
}

void Download::sources_changed() { inbox_.sender().send_urgent(LookAgain{}); }

Progress Download::progress() const {
  Progress progress;
  progress.phase = phase_;
  progress.rate = rate_;
  progress.bytes_reused = reused_;
  progress.bytes_received = received_before_;
  for (const auto& [id, source] : sources_) {
    const std::uint64_t bytes = source.received();
    progress.bytes_received += bytes;
    if (bytes > 0) progress.sources.emplace(id, bytes);
  }
  const bool limited = context_.down != nullptr && context_.down->binding(context_.control->now());
  progress.bottleneck = limited ? "limit" : bottleneck_;
  if (planner_) {
    progress.bytes_total = planner_->bytes_total();
    progress.bytes_done = planner_->bytes_had();
    if (rate_ > 0) progress.eta_s = static_cast<double>(progress.bytes_total - progress.bytes_done) / rate_;
  }
  return progress;
}

runtime::Task<DownloadOutcome> Download::run(runtime::CancellationToken token) {
  runtime::Scope scope(parent_, "download " + game_, token);
  std::optional<DownloadOutcome> outcome;
  scope.spawn("plan", run_tasks(scope, outcome));
  std::exception_ptr failure;
  try {
    co_await scope.join();
  } catch (...) {
    failure = std::current_exception();
  }
  const bool finished = outcome && outcome->kind == DownloadOutcome::Kind::finished;
  if (!finished) sharing_.reset();  // else until this object goes: the library has taken over then
  if (staging_ && !finished && !discard_.token().requested()) {
    // Not under the token: what was received is logged whatever the reason of the end.
    auto close = [staging = staging_](const runtime::StopFlag&) { return staging->close_cleanly(); };
    const Result<void> closed =
        co_await runtime::offload(*context_.workers, std::move(close), runtime::CancellationToken());
    if (!closed)
      context_.log.game(game_).warn("the progress of " + game_ + " could not be kept: " + closed.error().message);
  }
  staging_.reset();
  if (failure) std::rethrow_exception(failure);
  if (!outcome) throw runtime::Cancelled{};
  if (!finished) co_return std::move(*outcome);
  outcome->document = document_;
  co_return std::move(*outcome);
}

runtime::Task<void> Download::run_tasks(runtime::Scope& scope, std::optional<DownloadOutcome>& outcome) {
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
runtime::Task<std::optional<DownloadOutcome>> Download::obtain_document(runtime::Scope& scope) {
  auto stored = [disk = context_.disk, root = context_.root, game = game_, version = version_](
                    const runtime::StopFlag&) { return staging::Staging::stored_document(*disk, root, game, version); };
  auto kept = co_await runtime::offload(*context_.workers, std::move(stored), scope.token());
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
      if (peers.empty() && !waiting()) co_return DownloadOutcome::gone();
      if (!peers.empty() && last_error_ && last_error_->code != ErrorCode::unreachable)
        co_return DownloadOutcome::failure(*last_error_);
      // Everyone was tried and none answered: again, until they answer or are gone.
      tried.clear();
      co_await runtime::sleep_for(*context_.control, kRetryDelay, scope.token());
      continue;
    }
    tried.insert(next->id);
    ManifestJob job;
    job.transport = context_.transport;
    job.workers = context_.workers;
    job.peer = *next;
    job.game = game_;
    job.version = version_;
    auto start = [job](runtime::CancellationToken t) { return fetch_manifest(job, t); };
    auto got = co_await runtime::call_on(*context_.net, "manifest of " + game_, std::move(start), scope.token());
    if (got) {
      document_ = std::move(*got);
    } else {
      last_error_ = got.error();
      context_.log.game(game_).warn("no manifest of " + game_ + " from " + next->name + ": " + got.error().message);
    }
  }
  co_return std::nullopt;
}

/// Space and staging; finished: go on.
runtime::Task<DownloadOutcome> Download::prepare(runtime::Scope& scope) {
  using Opened = Result<std::shared_ptr<staging::Staging>>;
  auto open = [disk = context_.disk, root = context_.root, game = game_, version = version_, document = document_,
               reserve = context_.reserve](const runtime::StopFlag& stop) -> Opened {
    auto staging = staging::Staging::open_if_it_fits(*disk, root, game, version, document, reserve, stop);
    if (!staging) return std::unexpected(staging.error());
    return std::shared_ptr<staging::Staging>(std::move(*staging));
  };
  Opened opened = co_await runtime::offload(*context_.workers, std::move(open), scope.token());
  if (!opened) co_return DownloadOutcome::failure(opened.error());
  staging_ = std::move(*opened);
  planner_.emplace(document_->manifest, staging_->have(), context_.random->below(UINT64_MAX));
  sharing_.emplace(context_, game_, version_, document_, staging_);
  received_before_ = planner_->bytes_had();
  last_checkpoint_ = context_.control->now();
  co_return DownloadOutcome{};
}

/// What lies on this disk already need not travel. Nothing: go on.
runtime::Task<std::optional<DownloadOutcome>> Download::reuse(runtime::CancellationToken token) {
  phase_ = Phase::fetching;
  if (!context_.local || planner_->complete()) co_return std::nullopt;
  auto find = [snapshot = context_.local(), document = document_,
               have = planner_->have()](const runtime::StopFlag& stop) {
    return staging::find_local_copies(*snapshot, document->manifest, have, stop);
  };
  const staging::LocalCopies copies = co_await runtime::offload(*context_.workers, std::move(find), token);
  if (copies.copies.empty()) co_return std::nullopt;
  context_.log.game(game_).info(game_ + ": " + megabytes(copies.bytes) + " of it are on this disk already");
  for (std::size_t next = 0; next < copies.copies.size();) {
    while (staging_->unlogged_bytes() + kReuseBytes > kMaxUnlogged) {
      co_await runtime::sleep_for(*context_.control, kTick / 50, token);
      while (auto report = inbox_.try_receive()) handle(std::move(*report));
      if (fatal_) co_return DownloadOutcome::failure(*fatal_);  // a checkpoint that failed makes no room
    }
    token.throw_if_requested();
    auto copy = [this, &copies, next](const runtime::StopFlag& stop) {
      return copy_local(*context_.disk, *staging_, copies, next, kReuseBytes, stop);
    };
    const Result<staging::Reused> copied = co_await runtime::offload(*context_.workers, std::move(copy), token);
    if (!copied) co_return DownloadOutcome::failure(copied.error());
    for (const std::uint64_t chunk : copied->chunks) had(chunk, 1);
    next = copied->next;
    reused_ = planner_->bytes_had() - received_before_;
  }
  co_return std::nullopt;
}

runtime::Task<void> Download::checkpoint_task(runtime::CancellationToken token) {
  token.throw_if_requested();
  auto checkpoint = [staging = staging_](const runtime::StopFlag&) { return staging->checkpoint(); };
  // A sync takes as long as the disk does. Only one whose data are discarded is not waited for.
  const Result<void> done =
      co_await runtime::offload_abandonable(*context_.workers, std::move(checkpoint), discard_.token());
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

/// Where the time goes, since the last look.
void Download::look() {
  if (phase_ != Phase::fetching) {
    bottleneck_.reset();
    return;
  }
  ++spent_.looks;
  if (blocked_) ++spent_.blocked;
  if (checkpointing_) ++spent_.syncing;
  for (auto& [id, source] : sources_) {
    if (!source.meters) continue;
    const SourceMeters::Reading now = source.meters->read();
    const std::uint64_t received = now.received - source.counted.received;
    spent_.received += received;
    if (source.meters->held_back) spent_.held_back += received;
    spent_.reading_ns += now.reading_ns - source.counted.reading_ns;
    spent_.writing_ns += now.writing_ns - source.counted.writing_ns;
    source.counted = now;
  }
  if (spent_.looks < kLooks) return;
  bottleneck_ = transfer::bottleneck(spent_);
  spent_ = {};
}

runtime::Task<void> Download::tick_task(runtime::Scope& scope, runtime::CancellationToken token) {
  runtime::TimePoint next_report = context_.control->now();
  for (;;) {
    // Finer than the reports: at the speed of the wire the unlogged bytes fill up within a few ticks.
    co_await runtime::sleep_for(*context_.control, kTick / 10, token);
    look();
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

runtime::Task<DownloadOutcome> Download::publish(runtime::CancellationToken token) {
  phase_ = Phase::publishing;
  measure();
  if (on_progress_) on_progress_();
  // A checkpoint under way must end first: publish() runs alone.
  while (checkpointing_) co_await runtime::sleep_for(*context_.control, 1ms, token);
  auto publish = [staging = staging_, known = installed_here(), keep_own = keep_own_](const runtime::StopFlag&) {
    return staging->publish(known.get(), keep_own);
  };
  Result<staging::UserFiles> published = co_await runtime::offload(*context_.workers, std::move(publish), token);
  if (!published) co_return DownloadOutcome::failure(published.error());
  DownloadOutcome outcome;
  outcome.user_files = std::move(*published);
  co_return outcome;
}

std::shared_ptr<const library::OfferedGame> Download::installed_here() const {
  if (!context_.local) return nullptr;
  const auto snapshot = context_.local();
  const library::LocalGame* game = snapshot->find(game_);
  return game != nullptr ? game->offered : nullptr;
}

}  // namespace peer::transfer
