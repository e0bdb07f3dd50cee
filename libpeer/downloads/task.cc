// One download's task, from the queue to its end.
#include <algorithm>
#include <utility>

#include "libpeer/downloads/downloads_state.h"
#include "libpeer/runtime/sleep.h"

namespace peer::downloads {

namespace {
constexpr std::size_t kMaxPast = 200;
/// One that waits as long as that takes looks again after this.
constexpr runtime::Duration kLook = std::chrono::hours(1);

Error internal_error(const std::string& game, const std::string& what) {
  return Error{ErrorCode::internal, "the download of " + game + " failed: " + what, 0};
}
}  // namespace

Downloads::Past::Past(api::DownloadInfo info, const Active& active)
    : api::DownloadInfo(std::move(info)), wanted(active.wanted), repair(active.repair), automatic(active.automatic) {}

Downloads::Guard::Guard(Downloads& downloads, std::shared_ptr<Active> active)
    : downloads_(downloads), active_(std::move(active)) {}

Downloads::Guard::~Guard() {
  give_up_turn();
  active_->over = true;
  if (!downloads_.stopping_) {
    if (downloads_.past_.size() >= kMaxPast) downloads_.past_.erase(downloads_.past_.begin());
    downloads_.past_.insert_or_assign(active_->game, Past(downloads_.info(*active_), *active_));
  }
  downloads_.active_.erase(active_->game);
  active_->changed.set();
  downloads_.turn_.set();
}

void Downloads::Guard::count_as_running() {
  running_ = true;
  ++downloads_.running_;
}

void Downloads::Guard::give_up_turn() {
  if (active_->download) {
    active_->elapsed_before = downloads_.elapsed(*active_);
    active_->timed_before = timed(*active_);
    active_->received_before = received(*active_);
    transfer::Progress progress = active_->download->progress();
    for (const auto& [id, bytes] : progress.sources) active_->sources_before[id] += bytes;
    if (progress.bytes_total != 0) active_->progress = std::move(progress);
    active_->download.reset();
  }
  active_->in_line = false;
  if (std::exchange(running_, false)) --downloads_.running_;
  downloads_.turn_.set();
}

/// How it ends; told once the tables are clear, so that whoever hears of it may start it again.
void Downloads::decide(Active& active, api::DownloadEvent::Kind kind, std::optional<Error> error) {
  switch (kind) {
    case api::DownloadEvent::Kind::finished: active.state = api::DownloadState::finished; break;
    case api::DownloadEvent::Kind::cancelled: active.state = api::DownloadState::cancelled; break;
    case api::DownloadEvent::Kind::all_peers_gone: active.state = api::DownloadState::peers_gone; break;
    default: active.state = api::DownloadState::failed; break;
  }
  active.ending = kind;
  active.trouble.reset();
  active.error = std::move(error);
}

runtime::Task<void> Downloads::run(std::shared_ptr<Active> active, runtime::CancellationToken token) {
  {
    Guard guard(*this, active);
    std::string failure;
    try {
      co_await run_attempts(*active, guard, token);
    } catch (const runtime::Cancelled&) {
      if (!token.requested()) failure = "a stray cancellation";
    } catch (const std::exception& e) {
      failure = e.what();  // a bug or exhaustion: this download's end, not that of the others
    }
    guard.give_up_turn();
    if (!active->ending && !failure.empty()) {
      decide(*active, api::DownloadEvent::Kind::failed, internal_error(active->game, failure));
      log_.game(active->game).error(active->error->message);
    } else if (!active->ending && active->cancelled) {
      decide(*active, api::DownloadEvent::Kind::cancelled, std::nullopt);
      const Result<bool> discarded = co_await discard_staging(active->game, runtime::CancellationToken());
      if (discarded) {
        log_.game(active->game).info("download of " + active->game + " is cancelled, and what it received is removed");
      } else
        log_.game(active->game).warn("what was received of " + active->game + " stays: " + discarded.error().message);
    }
  }
  // Cut off by shutdown: nothing is said of it, and the next start begins it again.
  if (!active->ending || (stopping_ && !active->cancelled)) co_return;
  if (active->begun || *active->ending == api::DownloadEvent::Kind::failed) tell(*active, *active->ending);
  co_await forget(active->game);
}

/// From one pause to the next, until it is decided how it ends.
runtime::Task<void> Downloads::run_attempts(Active& active, Guard& guard, runtime::CancellationToken token) {
  struct Attempt {
    Attempt(Active& a, const runtime::CancellationToken& parent) : active(a), stop(parent) { active.attempt = &stop; }
    Attempt(const Attempt&) = delete;
    Attempt& operator=(const Attempt&) = delete;
    ~Attempt() {
      active.attempt = nullptr;
      active.changed.set();
    }
    Active& active;
    runtime::CancellationSource stop;
  };
  while (!active.ending) {
    co_await wait_resumed(active, token);
    Attempt attempt(active, token);
    try {
      co_await run_in_turn(active, guard, attempt.stop.token());
    } catch (const runtime::Cancelled&) {
      if (token.requested() || !attempt.stop.token().requested()) throw;
    }
    guard.give_up_turn();
  }
}

runtime::Task<void> Downloads::wait_resumed(Active& active, runtime::CancellationToken token) {
  if (!active.paused) co_return;
  active.state = api::DownloadState::paused;
  log_.game(active.game).info("download of " + active.game + " is paused");
  if (active.begun) tell(active, api::DownloadEvent::Kind::progress);
  while (active.paused) {
    active.changed.reset();
    co_await active.changed.wait(token);
  }
  active.state = api::DownloadState::queued;
  if (active.begun) tell(active, api::DownloadEvent::Kind::progress);
}

runtime::Task<void> Downloads::run_in_turn(Active& active, Guard& guard, runtime::CancellationToken token) {
  token.throw_if_requested();
  if (active.trouble) co_await wait_out_trouble(active, token);
  co_await wait_for_version(active, token);
  const auto snapshot = options_.library->snapshot();
  const library::LocalGame* local = snapshot->find(active.game);
  active.in_line = local == nullptr || local->state != library::GameState::hashing;  // hashing holds up nobody else
  co_await settle_version(active, token);
  if (active.version_known && !active.repair && installed(active.game, active.version)) {
    decide(active, api::DownloadEvent::Kind::finished, std::nullopt);  // published, but the last run could not say so
    co_return;
  }
  if (!active.version_known || !offered(active)) {
    decide(active, api::DownloadEvent::Kind::failed,
           Error{ErrorCode::no_peer_has_it, "no peer with " + active.game + " appeared in time", 0});
    co_return;
  }
  co_await save(active_.at(active.game), token);
  co_await wait_turn(active, guard, token);
  co_await fetch(active, token);
}

/// A download that comes early must neither fetch again what is here, only not looked at yet, nor replace it by
/// something older.
runtime::Task<void> Downloads::settle_version(Active& active, runtime::CancellationToken token) {
  const auto snapshot = options_.library->snapshot();
  const library::LocalGame* local = snapshot->find(active.game);
  if (local != nullptr && local->state != library::GameState::hashing) co_return;
  const Result<void> looked = co_await options_.library->rescan(active.game, token);
  if (!looked || active.pinned) co_return;
  const Result<Choice> choice = choose(active.game, active.wanted, active.from);
  if (!choice) co_return;
  active.version = choice->version;
  active.size = choice->size;
}

runtime::Task<void> Downloads::fetch(Active& active, runtime::CancellationToken token) {
  active.state = api::DownloadState::downloading;
  active.began = scope_.executor().now();
  active.download =
      std::make_unique<transfer::Download>(scope_, options_.context, active.game, active.version, [this, &active] {
        note_progress(active);
        tell(active, api::DownloadEvent::Kind::progress);
        save_progress(active);
      });
  active.download->keep_own_game(active.automatic);
  active.download->restrict_to(active.from);
  active.download->count_reused_before(active.progress.bytes_reused);
  active.download->wait_for_sources(active.wait.until(active.began));
  if (!active.trouble) {
    log_.game(active.game)
        .info("download of " + active.game + " " + active.version.brief() + (active.begun ? " goes on" : " begins"));
  }
  tell(active,
       std::exchange(active.begun, true) ? api::DownloadEvent::Kind::progress : api::DownloadEvent::Kind::begin);

  transfer::DownloadOutcome outcome = co_await active.download->run(token);
  note_progress(active);
  switch (outcome.kind) {
    case transfer::DownloadOutcome::Kind::finished: {
      const Result<void> adopted =
          co_await options_.library->adopt(active.game, *outcome.document, runtime::CancellationToken());
      if (!adopted)
        log_.game(active.game).warn(active.game + " is complete but not offered yet: " + adopted.error().message);
      log_.game(active.game).info("download of " + active.game + " is complete");
      if (const std::string kept = outcome.user_files.describe(); !kept.empty()) log_.game(active.game).info(kept);
      decide(active, api::DownloadEvent::Kind::finished, std::nullopt);
      break;
    }
    case transfer::DownloadOutcome::Kind::failed:
      if (take_trouble(active, *outcome.error)) break;
      log_.game(active.game).error("download of " + active.game + " failed: " + outcome.error->message);
      decide(active, api::DownloadEvent::Kind::failed, std::move(outcome.error));
      break;
    case transfer::DownloadOutcome::Kind::peers_gone: {
      Error gone{ErrorCode::peers_gone, "every peer with " + active.game + " went away; what was received is kept", 0};
      log_.game(active.game).warn("download of " + active.game + ": " + gone.message);
      decide(active, api::DownloadEvent::Kind::all_peers_gone, std::move(gone));
      break;
    }
  }
}

runtime::Task<void> Downloads::wait_turn(Active& active, Guard& guard, runtime::CancellationToken token) {
  active.in_line = true;
  for (;;) {
    const bool first = std::ranges::all_of(active_, [&](const auto& each) {
      const Active& other = *each.second;
      return !other.in_line || other.position >= active.position;
    });
    if (first && running_ < options_.parallel) break;
    turn_.reset();
    co_await turn_.wait(token);
  }
  // Taken in the same step as it was found free: all that wait are woken at once.
  guard.count_as_running();
  active.in_line = false;
  turn_.set();  // the next may be first now
}

bool Downloads::offered(const Active& active) const {
  const std::vector<api::RemoteVersion> versions = options_.table->versions(active.game, active.from);
  return std::ranges::find(versions, active.version, &api::RemoteVersion::version) != versions.end();
}

/// Chooses the version of a download that does not know it yet, of those that peers offer and the one installed here.
bool Downloads::choose_any(Active& active) const {
  std::vector<api::RemoteVersion> versions = candidates(active.game, active.from);
  std::erase_if(versions, [&](const api::RemoteVersion& each) {
    return active.wanted && !each.version.hex().starts_with(*active.wanted);
  });
  const api::RemoteVersion* chosen = choose_version(versions, options_.wall_clock());
  if (chosen == nullptr) return false;
  active.version = chosen->version;
  active.version_known = true;
  active.size = chosen->size;
  return true;
}

/// Until somebody offers the game, or the time is over.
runtime::Task<void> Downloads::wait_for_version(Active& active, runtime::CancellationToken token) {
  for (;;) {
    if (active.version_known ? offered(active) || installed(active.game, active.version) : choose_any(active))
      co_return;
    const runtime::TimePoint now = scope_.executor().now();
    const runtime::Duration left = active.patient ? kLook : active.wait.left(now);
    if (left == runtime::Duration::zero()) co_return;
    runtime::Deadline deadline(scope_.executor(), left, token);
    table_changed_.reset();
    try {
      co_await table_changed_.wait(deadline.token());
    } catch (const runtime::Cancelled&) {
      if (token.requested()) throw;
    }
  }
}

}  // namespace peer::downloads
