#include "libpeer/library/game_scanner.h"

#include <algorithm>
#include <cerrno>

#include "libpeer/library/watcher.h"
#include "libpeer/protocol/path.h"
#include "libpeer/runtime/sleep.h"

namespace peer::library {

namespace {

/// Whether `offered` is the installed version, or, without a record, a complete version of an own game.
bool is_version_of(const OfferedGame& offered, const InstalledRecord* record) {
  return record != nullptr ? record->version == offered.version : offered.intact.empty();
}

bool is_missing(const Error& error) { return error.system == ENOENT || error.system == ENOTDIR; }

}  // namespace

/// Makes the scan that holds the entry's turn cancellable. Changes reported meanwhile are scanned afterwards.
class GameScanner::RunningScan {
 public:
  RunningScan(GameTable& games, GameEntry& entry, runtime::CancellationSource& source) noexcept
      : games_(games), entry_(entry) {
    entry_.running = &source;
  }
  RunningScan(const RunningScan&) = delete;
  RunningScan& operator=(const RunningScan&) = delete;
  ~RunningScan() {
    entry_.running = nullptr;
    if (entry_.schedule.has_changes()) games_.schedule_changed().set();
  }

 private:
  GameTable& games_;
  GameEntry& entry_;
};

runtime::Task<void> GameScanner::scan(std::shared_ptr<GameEntry> entry, bool patient,
                                      runtime::CancellationToken token) {
  runtime::Executor& executor = scope_.executor();
  for (int tries = 0; tries < kMaxTries; ++tries) {
    RescanAfter again;
    {
      const runtime::SemaphoreUnits turn = co_await entry->turn.acquire(1, token);
      if (entry->removed) co_return;
      runtime::CancellationSource stop(token);
      const RunningScan running(games_, *entry, stop);
      bool superseded = false;
      try {
        again = co_await scan_once(*entry, stop.token());
        superseded = stop.token().requested();  // the request came too late to cancel it
      } catch (const runtime::Cancelled&) {
        if (token.requested() || !stop.token().requested()) throw;
        superseded = true;
      }
      if (!superseded) {  // otherwise the call that superseded it has scheduled the next scan
        entry->schedule.clear_request();
        if (again) entry->schedule.request(executor.now() + *again);
        if (again) games_.schedule_changed().set();
        if (entry->mismatch_reported) games_.request_mismatch_scan(*entry);  // reported after this scan's reads
      } else if (!patient) {
        co_return;
      } else {
        again = runtime::Duration::zero();
      }
    }
    if (!again || !patient) co_return;
    co_await runtime::sleep_for(executor, *again, token);
  }
}

runtime::Task<GameScanner::RescanAfter> GameScanner::scan_once(GameEntry& entry, runtime::CancellationToken token) {
  std::shared_ptr<const ScannedGame> scan;
  bool intact = false;
  {
    const runtime::SemaphoreUnits permit = co_await scans_.acquire(1, token);
    const Result<ScanResult> result = co_await scan_on_worker(entry, token);
    if (!result) co_return on_scan_failed(entry, result.error());
    if (!result->scan) co_return on_root_failed(entry, result->root_error);
    scan = result->scan;
    intact = result->comparison.intact;
    if (scan->unshareable || scan->unreadable) {
      games_.show(entry, describe(entry, *scan, scan->unshareable ? GameState::unshareable : GameState::damaged));
      co_return std::nullopt;
    }
    entry.record = result->record;
    if (entry.mismatch_reported) {
      // Changed stamps explain the mismatch. If no stamp changed, the cached hashes cannot be trusted.
      entry.mismatch_reported = false;
      entry.cache_distrusted = entry.cache_distrusted || intact;
    }
    if (result->comparison.same && !entry.cache_distrusted && is_version_of(*entry.shown.offered, entry.record.get())) {
      const bool whole = entry.shown.offered->intact.empty();
      LocalGame game = describe(entry, *scan, whole ? GameState::ready : GameState::modified);
      game.offered = entry.shown.offered;
      games_.show(entry, std::move(game));
      co_return std::nullopt;
    }
  }
  if (entry.record) {
    RescanAfter again = co_await offer_installed(entry, scan, token);
    co_return again;
  }
  RescanAfter again = co_await offer_own(entry, scan, intact, token);
  co_return again;
}

runtime::Task<GameScanner::RescanAfter> GameScanner::offer_own(GameEntry& entry,
                                                               std::shared_ptr<const ScannedGame> scan, bool intact,
                                                               runtime::CancellationToken token) {
  KnownChunks known;
  {
    const runtime::SemaphoreUnits permit = co_await scans_.acquire(1, token);
    LocalGame game = describe(entry, *scan, GameState::hashing);
    // A changed game is hashed as a new version. Meanwhile the previous version remains offered if it is complete.
    if (intact && !entry.cache_distrusted) game.offered = entry.shown.offered;
    games_.show(entry, std::move(game));
    if (const RescanAfter again = time_to_rest(entry, *scan, true)) co_return again;
    known = co_await consult_cache(entry, scan, token);
    if (const RescanAfter again = time_to_rest(entry, *scan, known.missing.empty())) co_return again;
  }
  const bool stale_rows = known.stale_rows;
  if (!known.missing.empty()) {
    const std::optional<RescanAfter> unfinished = co_await hash_missing(entry, scan, known, token);
    if (unfinished) co_return *unfinished;
  }
  co_await offer_assembled(entry, scan, std::move(known), token);
  if (stale_rows) {
    const Result<void> pruned = co_await cache_.prune(entry.root, entry.name, scan, token);
    cache_.warn(pruned);
  }
  co_return std::nullopt;
}

runtime::Task<GameScanner::RescanAfter> GameScanner::offer_installed(GameEntry& entry,
                                                                     std::shared_ptr<const ScannedGame> scan,
                                                                     runtime::CancellationToken token) {
  KnownChunks known = co_await consult_cache(entry, scan, token);
  InstalledMatch match = co_await match_with_record(entry, scan, known, token);
  const bool stale_rows = known.stale_rows;
  if (!match.unhashed.empty()) {
    known.missing = match.unhashed;  // files that the user added are not hashed
    const bool offers = entry.shown.offered != nullptr && !match.none_intact;
    show_match(entry, *scan, match, offers ? GameState::modified : GameState::hashing);
    if (const RescanAfter again = time_to_rest(entry, *scan, false)) co_return again;
    const std::optional<RescanAfter> unfinished = co_await hash_missing(entry, scan, known, token);
    if (unfinished) co_return *unfinished;
    match = co_await match_with_record(entry, scan, known, token);
  }
  if (match.none_intact) {
    log_.game(entry.shown.id)
        .info(entry.shown.id + ": no chunk of the installed version is left; it is now offered as an own game");
    entry.ignored_record = entry.record->stamp;
    entry.record = nullptr;
    co_return runtime::Duration::zero();
  }
  show_match(entry, *scan, match, match.same ? GameState::ready : GameState::modified);
  if (stale_rows) {
    const Result<void> pruned = co_await cache_.prune(entry.root, entry.name, scan, token);
    cache_.warn(pruned);
  }
  co_return std::nullopt;
}

void GameScanner::show_match(GameEntry& entry, const ScannedGame& scan, const InstalledMatch& match, GameState state) {
  LocalGame game = describe(entry, scan, state);
  if (!match.none_intact) game.offered = match.offered;
  games_.show(entry, std::move(game));
}

runtime::Task<InstalledMatch> GameScanner::match_with_record(GameEntry& entry, std::shared_ptr<const ScannedGame> scan,
                                                             const KnownChunks& known,
                                                             runtime::CancellationToken token) {
  const auto job = [&scan, &known, record = entry.record, shown = entry.shown.offered](const runtime::StopFlag&) {
    return match_installed(*scan, known, *record, shown);
  };
  InstalledMatch match = co_await runtime::offload(workers_, job, token);
  token.throw_if_requested();
  co_return match;
}

runtime::Task<std::optional<GameScanner::RescanAfter>> GameScanner::hash_missing(
    GameEntry& entry, std::shared_ptr<const ScannedGame> scan, KnownChunks& known, runtime::CancellationToken token) {
  GameHashRun run(entry, scan, std::move(known));
  co_await hasher_.hash(run, token);
  if (!run.unreadable.empty()) {
    LocalGame game = describe(entry, *scan, GameState::damaged);
    game.problems.insert(game.problems.end(), run.unreadable.begin(), run.unreadable.end());
    games_.show(entry, std::move(game));
    co_return RescanAfter(std::nullopt);
  }
  if (run.changed) co_return RescanAfter(delay_after_change());
  // Hashing can take hours. The hashes form a version only if the game is still the same.
  const Result<ScanResult> after = co_await scan_on_worker(entry, token);
  if (!after) co_return on_scan_failed(entry, after.error());
  if (!after->scan) co_return on_root_failed(entry, after->root_error);
  if (!same_contents(*after->scan, *scan)) co_return RescanAfter(delay_after_change());
  known = std::move(run.known);
  known.missing.clear();
  co_return std::nullopt;
}

GameScanner::RescanAfter GameScanner::on_scan_failed(GameEntry& entry, const Error& error) {
  if (is_missing(error)) {
    games_.remove(entry);
    return std::nullopt;
  }
  ScannedGame nothing;
  nothing.problems.push_back({"", "cannot be read: " + error.message});
  games_.show(entry, describe(entry, nothing, GameState::damaged));
  return std::nullopt;
}

/// A single failure of the root changes nothing; after kMaxRootFailures its games are shown as damaged.
GameScanner::RescanAfter GameScanner::on_root_failed(GameEntry& entry, const Error& error) {
  if (is_missing(error)) return on_scan_failed(entry, error);
  if (++entry.root_failures < kMaxRootFailures) return options_.retry;
  return on_scan_failed(entry, error);
}

GameScanner::RescanAfter GameScanner::time_to_rest(GameEntry& entry, const ScannedGame& scan, bool all_cached) const {
  const std::int64_t settle = std::chrono::nanoseconds(options_.settle).count();
  const std::int64_t age = options_.wall_clock() - scan.newest;
  if (age >= 0 && age < settle) return std::chrono::nanoseconds(settle - age);
  if (scan.future_mark == 0 || all_cached) return std::nullopt;
  const runtime::Duration left =
      entry.future_timestamps.remaining(scan.future_mark, options_.settle, scope_.executor().now());
  if (left > runtime::Duration::zero()) return left;
  return std::nullopt;
}

runtime::Duration GameScanner::delay_after_change() const {
  return std::max<runtime::Duration>(options_.settle, std::chrono::seconds(1));
}

runtime::Task<Result<GameScanner::ScanResult>> GameScanner::scan_on_worker(GameEntry& entry,
                                                                           runtime::CancellationToken token) {
  entry.schedule.on_scan_begin();
  const runtime::TimePoint begun = scope_.executor().now();
  const auto job = [disk = &disk_, watcher = options_.watcher, root = entry.root, name = entry.name,
                    now = options_.wall_clock(), offered = entry.shown.offered, record = entry.record,
                    ignored = entry.ignored_record,
                    bounds = entry.shown.bounds](const runtime::StopFlag& stop) -> Result<ScanResult> {
    if (const auto illegal = protocol::game_id_problem(name)) {
      ScannedGame game;
      game.unshareable = true;
      game.problems.push_back({protocol::printable(name), *illegal});
      return ScanResult{std::make_shared<const ScannedGame>(std::move(game)), {}};
    }
    const auto directory = disk->open(root, false, false);
    if (!directory) return ScanResult{nullptr, {}, directory.error()};
    const std::unique_ptr<WatchWalk> walk = watcher != nullptr ? watcher->walk({root, name}) : nullptr;
    Result<ScannedGame> game = scan_game(**directory, name, now, walk.get(), bounds.get(), stop);
    if (!game) return std::unexpected(game.error());
    ScanResult result{std::make_shared<const ScannedGame>(std::move(*game)), {}};
    if (offered) result.comparison = compare(*result.scan, *offered);
    auto current = read_installed(**directory, name, record);
    // Without the record it is unknown whether a change makes a new version.
    if (!current) return ScanResult{nullptr, {}, current.error()};
    if (*current && (*current)->stamp != ignored) result.record = std::move(*current);
    return result;
  };
  Result<ScanResult> result = co_await runtime::offload(workers_, job, token);
  token.throw_if_requested();
  std::optional<runtime::Duration> rescan_after;
  if (result && result->scan) {
    entry.root_failures = 0;
    if (result->scan->unwatched) rescan_after = options_.unwatched_interval;
  }
  entry.schedule.on_scan_end(begun, scope_.executor().now(), rescan_after);
  co_return result;
}

runtime::Task<KnownChunks> GameScanner::consult_cache(GameEntry& entry, std::shared_ptr<const ScannedGame> scan,
                                                      runtime::CancellationToken token) {
  if (entry.cache_distrusted) {
    entry.cache_distrusted = false;  // a withdrawal from now on sets it again
    const Result<void> forgotten = co_await cache_.forget(entry.root, entry.name);
    cache_.warn(forgotten);
    token.throw_if_requested();
  }
  Result<HashCache::Rows> cached = co_await cache_.load(entry.root, entry.name, token);
  cache_.warn(cached);
  if (!cached) cached.emplace();
  const auto match = [&scan, &cached](const runtime::StopFlag&) { return match_cache(*scan, std::move(*cached)); };
  KnownChunks known = co_await runtime::offload(workers_, match, token);
  token.throw_if_requested();
  co_return known;
}

runtime::Task<void> GameScanner::offer_assembled(GameEntry& entry, std::shared_ptr<const ScannedGame> scan,
                                                 KnownChunks known, runtime::CancellationToken token) {
  const auto job = [&scan, &known](const runtime::StopFlag&) { return assemble(*scan, std::move(known)); };
  const auto offered = co_await runtime::offload(workers_, job, token);
  token.throw_if_requested();
  LocalGame game = describe(entry, *scan, offered ? GameState::ready : GameState::unshareable);
  if (offered) {
    game.offered = *offered;
  } else {
    game.problems.push_back({"", offered.error().message});
  }
  games_.show(entry, std::move(game));
}

}  // namespace peer::library
