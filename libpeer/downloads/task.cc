#include "libpeer/downloads/task.h"

#include <utility>

#include "libpeer/runtime/sleep.h"

namespace peer::downloads {

using namespace std::chrono_literals;

namespace {
/// How often a download with an indefinite wait checks again.
constexpr runtime::Duration kRecheck = 1h;
constexpr runtime::Duration kRemovePause = 1s;
constexpr unsigned kRemoveTries = 60;

/// Registers the attempt's cancellation with the entry.
struct AttemptScope {
  AttemptScope(DownloadEntry& e, const runtime::CancellationToken& parent) : entry(e), stop(parent) {
    entry.attempt = &stop;
  }
  AttemptScope(const AttemptScope&) = delete;
  AttemptScope& operator=(const AttemptScope&) = delete;
  ~AttemptScope() {
    entry.attempt = nullptr;
    entry.changed.set();
  }
  DownloadEntry& entry;
  runtime::CancellationSource stop;
};
}  // namespace

/// Clears the tables when the task ends.
class DownloadTask::EntryGuard {
 public:
  explicit EntryGuard(DownloadTask& task) : task_(task) {}
  EntryGuard(const EntryGuard&) = delete;
  EntryGuard& operator=(const EntryGuard&) = delete;
  ~EntryGuard() {
    task_.end_attempt();
    DownloadEntry& entry = *task_.entry_;
    const DownloadServices& services = task_.services_;
    entry.status.over = true;
    if (!services.stopping) services.table.add_past(PastDownload(entry.info(task_.now()), entry.request));
    services.table.remove(entry.game());
    entry.changed.set();
    services.turns.changed();
  }

 private:
  DownloadTask& task_;
};

runtime::Task<void> DownloadTask::run(const DownloadServices& services, std::shared_ptr<DownloadEntry> entry,
                                      runtime::CancellationToken token) {
  DownloadTask task(services, std::move(entry));
  {
    EntryGuard guard(task);
    co_await task.run_to_end(token);
  }
  // After a shutdown request no event is emitted, and the next start continues the download.
  const DownloadEntry& ended = *task.entry_;
  if (!ended.status.ending || (services.stopping && !ended.cancelled)) co_return;
  if (ended.status.begun || *ended.status.ending == api::DownloadEvent::Kind::failed) task.emit(*ended.status.ending);
  co_await task.remove_record();
}

/// Runs the attempts and decides how the download ends. The event is emitted after the tables are cleared, so
/// that its receiver may start the download again.
runtime::Task<void> DownloadTask::run_to_end(runtime::CancellationToken token) {
  std::string failure;
  try {
    co_await run_attempts(token);
  } catch (const runtime::Cancelled&) {
    if (!token.requested()) failure = "a stray cancellation";
  } catch (const std::exception& e) {
    failure = e.what();  // a bug or exhaustion ends this download, not the others
  }
  end_attempt();
  if (entry_->status.ending) co_return;
  if (!failure.empty()) {
    Error error{ErrorCode::internal, "the download of " + game() + " failed: " + failure, 0};
    log().error(error.message);
    entry_->decide(api::DownloadEvent::Kind::failed, std::move(error));
  } else if (entry_->cancelled) {
    co_await cancel();
  }
}

runtime::Task<void> DownloadTask::cancel() {
  entry_->decide(api::DownloadEvent::Kind::cancelled, std::nullopt);
  const runtime::CancellationToken never;
  const Result<bool> discarded = co_await services_.cleaner.discard(game(), never);
  if (discarded) {
    log().info("download of " + game() + " is cancelled, and its received data is deleted");
  } else {
    log().warn("cannot delete what the cancelled download of " + game() + " received: " + discarded.error().message);
  }
}

void DownloadTask::end_attempt() {
  entry_->end_attempt(now());
  services_.turns.leave(*entry_);
}

runtime::Task<void> DownloadTask::run_attempts(runtime::CancellationToken token) {
  while (!entry_->status.ending) {
    co_await wait_until_resumed(token);
    AttemptScope attempt(*entry_, token);
    try {
      co_await run_attempt(attempt.stop.token());
    } catch (const runtime::Cancelled&) {
      if (token.requested() || !attempt.stop.token().requested()) throw;
    }
    end_attempt();
  }
}

runtime::Task<void> DownloadTask::wait_until_resumed(runtime::CancellationToken token) {
  if (!entry_->paused) co_return;
  entry_->status.state = api::DownloadState::paused;
  log().info("download of " + game() + " is paused");
  if (entry_->status.begun) emit(api::DownloadEvent::Kind::progress);
  const auto resumed = [this] { return !entry_->paused; };
  co_await entry_->changed.wait_until(resumed, token);
  entry_->status.state = api::DownloadState::queued;
  if (entry_->status.begun) emit(api::DownloadEvent::Kind::progress);
}

runtime::Task<void> DownloadTask::run_attempt(runtime::CancellationToken token) {
  token.throw_if_requested();
  const DownloadRequest& request = entry_->request;
  if (entry_->trouble.error) co_await wait_out_trouble(token);
  co_await wait_for_version(token);
  const auto snapshot = services_.options.library->snapshot();
  const library::LocalGame* local = snapshot->find(game());
  // A download whose game is being hashed here does not hold up the others.
  entry_->place.in_line = local == nullptr || local->state != library::GameState::hashing;
  co_await settle_version(token);
  if (request.version_known && !request.repair && services_.chooser.installed(game(), request.version)) {
    // Installed without a transfer, or published by an earlier run that could not report it.
    entry_->decide(api::DownloadEvent::Kind::finished, std::nullopt);
    co_return;
  }
  if (!request.version_known || !services_.chooser.offered(game(), request.version, request.from)) {
    entry_->decide(api::DownloadEvent::Kind::failed,
                   Error{ErrorCode::unavailable, "no peer with " + game() + " appeared in time", 0});
    co_return;
  }
  co_await services_.records.save(entry_, token);
  co_await services_.turns.wait(*entry_, token);
  co_await fetch(token);
}

runtime::Task<void> DownloadTask::settle_version(runtime::CancellationToken token) {
  const auto snapshot = services_.options.library->snapshot();
  const library::LocalGame* local = snapshot->find(game());
  if (local != nullptr && local->state != library::GameState::hashing) co_return;
  const Result<void> scanned = co_await services_.options.library->rescan(game(), token);
  DownloadRequest& request = entry_->request;
  if (!scanned || request.pinned) co_return;
  const Result<VersionChoice> choice = services_.chooser.choose(game(), request.version_prefix, request.from);
  if (!choice) co_return;
  request.version = choice->version;
  request.size = choice->size;
}

void DownloadTask::start_transfer() {
  DownloadEntry& entry = *entry_;
  entry.status.state = api::DownloadState::downloading;
  entry.figures.began = now();
  auto on_progress = [this] {
    note_progress();
    emit(api::DownloadEvent::Kind::progress);
    save_progress();
  };
  entry.download = std::make_unique<transfer::Download>(services_.scope, services_.options.context, game(),
                                                        entry.request.version, std::move(on_progress));
  entry.download->keep_own_game(entry.request.automatic);
  entry.download->restrict_to(entry.request.from);
  entry.download->count_reused_before(entry.figures.progress.bytes_reused);
  entry.download->wait_for_sources(entry.wait.until(entry.figures.began));
  const bool begun = std::exchange(entry.status.begun, true);
  if (!entry.trouble.error) {
    log().info("download of " + game() + " " + entry.request.version.brief() + (begun ? " continues" : " begins"));
  }
  emit(begun ? api::DownloadEvent::Kind::progress : api::DownloadEvent::Kind::begin);
}

runtime::Task<void> DownloadTask::fetch(runtime::CancellationToken token) {
  start_transfer();
  transfer::DownloadOutcome outcome = co_await entry_->download->run(token);
  note_progress();
  switch (outcome.kind) {
    case transfer::DownloadOutcome::Kind::finished: co_await finish(std::move(outcome)); break;
    case transfer::DownloadOutcome::Kind::failed:
      if (!note_trouble(*outcome.error)) fail_transfer(std::move(*outcome.error));
      break;
    case transfer::DownloadOutcome::Kind::peers_gone: {
      Error gone{ErrorCode::source_lost, "all peers with " + game() + " are gone; what was received is kept", 0};
      log().warn("download of " + game() + ": " + gone.message);
      entry_->decide(api::DownloadEvent::Kind::all_peers_gone, std::move(gone));
      break;
    }
  }
}

runtime::Task<void> DownloadTask::finish(transfer::DownloadOutcome outcome) {
  const runtime::CancellationToken never;
  const Result<void> adopted = co_await services_.options.library->adopt(game(), *outcome.document, never);
  if (!adopted) log().warn(game() + " is complete but not offered yet: " + adopted.error().message);
  log().info("download of " + game() + " is complete");
  if (const std::string kept = outcome.user_files.describe(); !kept.empty()) log().info(kept);
  entry_->decide(api::DownloadEvent::Kind::finished, std::nullopt);
}

void DownloadTask::fail_transfer(Error error) {
  log().error("download of " + game() + " failed: " + error.message);
  entry_->decide(api::DownloadEvent::Kind::failed, std::move(error));
}

bool DownloadTask::note_trouble(const Error& error) {
  if (!DiskTrouble::may_pass(error)) return false;
  DownloadEntry& entry = *entry_;
  if (error.code == ErrorCode::no_space && !entry.trouble.staged && !entry.patient) return false;
  const bool is_new = entry.trouble.record(error, now(), entry.download->progress().bytes_done);
  entry.patient = true;  // peers may come and go meanwhile
  if (is_new) {
    log().warn("download of " + game() + " is paused until this error is resolved: " + error.message);
    emit(api::DownloadEvent::Kind::progress);
  }
  return true;
}

runtime::Task<void> DownloadTask::wait_out_trouble(runtime::CancellationToken token) {
  const runtime::TimePoint until = entry_->trouble.next_try();
  while (!std::exchange(entry_->trouble.retry_now, false)) {
    if (now() >= until) co_return;
    entry_->changed.reset();
    co_await entry_->changed.wait_for(services_.scope.executor(), until - now(), token);
  }
}

void DownloadTask::note_progress() {
  if (!entry_->download) return;
  if (entry_->trouble.note_progress(entry_->download->progress().bytes_done)) {
    log().info("download of " + game() + " continues: the disk works again");
  }
}

void DownloadTask::save_progress() {
  if (services_.stopping || services_.table.find(game()) != entry_ || !services_.records.save_due(*entry_)) return;
  entry_->saved.at = now();
  services_.scope.spawn("save download", services_.records.save(entry_, services_.scope.token()));
}

/// Deletes the row in the store. Retries on a full disk, which soon has room: the cancelled download is being deleted.
runtime::Task<void> DownloadTask::remove_record() {
  for (unsigned tries = 1;; ++tries) {
    const bool removed = co_await services_.records.remove(game(), tries == 1);
    if (removed || tries == kRemoveTries || services_.stopping || services_.table.contains(game())) co_return;
    co_await runtime::sleep_for(services_.scope.executor(), kRemovePause, services_.scope.token());
    if (services_.table.contains(game())) co_return;  // a new download of the game has a row of its own
  }
}

/// Whether the download's version is offered or installed. Chooses a version if it is not known yet.
bool DownloadTask::version_available() {
  DownloadRequest& request = entry_->request;
  const VersionChooser& chooser = services_.chooser;
  if (request.version_known) {
    return chooser.offered(game(), request.version, request.from) || chooser.installed(game(), request.version);
  }
  const auto choice = chooser.choose_any(game(), request.version_prefix, request.from);
  if (!choice) return false;
  request.version = choice->version;
  request.version_known = true;
  request.size = choice->size;
  return true;
}

runtime::Task<void> DownloadTask::wait_for_version(runtime::CancellationToken token) {
  while (!version_available()) {
    const runtime::Duration left = entry_->patient ? kRecheck : entry_->wait.left(now());
    if (left == runtime::Duration::zero()) co_return;
    services_.offers_changed.reset();
    co_await services_.offers_changed.wait_for(services_.scope.executor(), left, token);
  }
}

}  // namespace peer::downloads
