#include <algorithm>
#include <cerrno>

#include "libpeer/library/hash_run.h"
#include "libpeer/protocol/path.h"
#include "libpeer/runtime/sleep.h"

namespace peer::library {

namespace {

constexpr runtime::Duration kMostSpared = std::chrono::seconds(30);

std::vector<Problem> with_shadows(const Entry& entry, std::vector<Problem> problems) {
  for (const std::string& root : entry.shadowed_roots) {
    problems.push_back(
        {protocol::printable(root + "/" + entry.name), "is not used: " + entry.root + " has that game too"});
  }
  return problems;
}

/// What is offered is that of the installed version, or, where none is, a version of its own.
bool is_version_of(const OfferedGame& offered, const Installed* installed) {
  return installed != nullptr ? installed->version == offered.version : offered.intact.empty();
}

}  // namespace

Entry::Entry(std::string n, std::string r) : name(std::move(n)), root(std::move(r)) {
  // The same as the name unless that is illegal.
  shown.id = protocol::game_id_problem(name) ? protocol::printable(name) : name;
  shown.root = root;
}

void Examiner::show(Entry& entry, LocalGame game, runtime::Duration within) {
  if (entry.gone) return;
  game.bounds = entry.shown.bounds;
  entry.shown = std::move(game);
  parts_.catalogue.put(std::make_shared<const LocalGame>(entry.shown), within);
}

LocalGame Examiner::describe(const Entry& entry, const ScannedGame& scan, GameState state) const {
  LocalGame game;
  game.id = entry.shown.id;
  game.root = entry.root;
  game.state = state;
  game.size = scan.size;
  game.files = scan.files.size();
  game.downloaded = entry.installed != nullptr;
  game.problems = with_shadows(entry, scan.problems);
  return game;
}

void Examiner::warn(const Result<void>& result) const {
  if (!result) parts_.log.warn("the hash cache: " + result.error().message);
}

runtime::Duration Examiner::rest() const {
  return std::max<runtime::Duration>(parts_.options.settle, std::chrono::seconds(1));
}

/// A look that has the turn. What came up meanwhile is followed afterwards.
struct Examiner::UnderWay {
  UnderWay(Examiner& s, Entry& e, runtime::CancellationSource& source) noexcept : self(s), entry(e) {
    entry.under_way = &source;
  }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;
  ~UnderWay() {
    entry.under_way = nullptr;
    if (entry.touches.due() || entry.unwatched_due) self.parts_.due_changed();
  }
  Examiner& self;
  Entry& entry;
};

runtime::Task<void> Examiner::look(std::shared_ptr<Entry> entry, bool patient, runtime::CancellationToken token) {
  runtime::Executor& executor = parts_.scope.executor();
  for (int tries = 0; tries < kPatience; ++tries) {
    Again again;
    {
      const runtime::SemaphoreUnits turn = co_await entry->turn.acquire(1, token);
      if (entry->gone) co_return;
      runtime::CancellationSource stop(token);
      const UnderWay under_way(*this, *entry, stop);
      bool superseded = false;
      try {
        again = co_await examine(*entry, stop.token());
        superseded = stop.token().requested();  // it came to its end first
      } catch (const runtime::Cancelled&) {
        if (token.requested() || !stop.token().requested()) throw;
        superseded = true;
      }
      if (!superseded) {  // else what superseded it has set the time of the next look
        entry->due.reset();
        if (again) entry->due = executor.now() + *again;
        if (again) parts_.due_changed();
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

runtime::Task<Examiner::Again> Examiner::examine(Entry& entry, runtime::CancellationToken token) {
  std::shared_ptr<const ScannedGame> scanned;
  KnownChunks known;
  bool intact = false;
  {
    const runtime::SemaphoreUnits permit = co_await looks_.acquire(1, token);
    const Result<Seen> seen = co_await scan(entry, token);
    if (!seen) co_return not_seen(entry, seen.error());
    if (!seen->scan) co_return root_not_seen(entry, seen->root);
    scanned = seen->scan;
    intact = seen->comparison.intact;
    if (scanned->unshareable || scanned->unreadable) {
      show(entry, describe(entry, *scanned, scanned->unshareable ? GameState::unshareable : GameState::damaged));
      co_return std::nullopt;
    }
    entry.installed = seen->installed;
    if (entry.doubted) {
      // Stamps that have changed tell what it was. If none has, nothing that was read before is to be believed.
      entry.doubted = false;
      entry.distrusted = entry.distrusted || intact;
    }
    if (seen->comparison.same && !entry.distrusted && is_version_of(*entry.shown.offered, entry.installed.get())) {
      const bool whole = entry.shown.offered->intact.empty();
      LocalGame game = describe(entry, *scanned, whole ? GameState::ready : GameState::modified);
      game.offered = entry.shown.offered;
      show(entry, std::move(game));
      co_return std::nullopt;
    }
  }
  if (entry.installed) {
    Again again = co_await examine_installed(entry, scanned, token);
    co_return again;
  }
  {
    const runtime::SemaphoreUnits permit = co_await looks_.acquire(1, token);
    LocalGame game = describe(entry, *scanned, GameState::hashing);
    // A changed game is hashed again and offered as its new version; until then what is still whole stays on offer.
    if (intact && !entry.distrusted) game.offered = entry.shown.offered;
    show(entry, std::move(game));
    if (const Again again = not_at_rest(entry, *scanned, true)) co_return again;
    known = co_await consult_cache(entry, scanned, token);
    if (const Again again = not_at_rest(entry, *scanned, known.missing.empty())) co_return again;
  }
  const bool stale_rows = known.stale_rows;
  if (!known.missing.empty()) {
    const std::optional<Again> unfinished = co_await hash_missing(entry, scanned, known, token);
    if (unfinished) co_return *unfinished;
  }
  co_await offer(entry, scanned, std::move(known), token);
  if (stale_rows) co_await prune(entry, scanned, token);
  co_return std::nullopt;
}

/// Reads what `known` lacks; nothing: it is complete, and the game as it was.
runtime::Task<std::optional<Examiner::Again>> Examiner::hash_missing(Entry& entry,
                                                                     std::shared_ptr<const ScannedGame> scanned,
                                                                     KnownChunks& known,
                                                                     runtime::CancellationToken token) {
  HashRun run(entry, scanned, std::move(known));
  co_await hash(run, token);
  if (!run.unreadable.empty()) {
    LocalGame game = describe(entry, *scanned, GameState::damaged);
    game.problems.insert(game.problems.end(), run.unreadable.begin(), run.unreadable.end());
    show(entry, std::move(game));
    co_return Again(std::nullopt);
  }
  if (run.changed) co_return Again(rest());
  // Reading may have taken hours: what was hashed is a version only if all of it is still there.
  const Result<Seen> after = co_await scan(entry, token);
  if (!after) co_return not_seen(entry, after.error());
  if (!after->scan) co_return root_not_seen(entry, after->root);
  if (!same_contents(*after->scan, *scanned)) co_return Again(rest());
  known = std::move(run.known);
  known.missing.clear();
  co_return std::nullopt;
}

Examiner::Again Examiner::not_seen(Entry& entry, const Error& error) {
  if (error.system == ENOENT || error.system == ENOTDIR) {
    parts_.vanished(entry);
    return std::nullopt;
  }
  ScannedGame nothing;
  nothing.problems.push_back({"", "cannot be read: " + error.message});
  show(entry, describe(entry, nothing, GameState::damaged));
  return std::nullopt;
}

Examiner::Again Examiner::not_at_rest(Entry& entry, const ScannedGame& scan, bool all_cached) const {
  const std::int64_t settle = std::chrono::nanoseconds(parts_.options.settle).count();
  const std::int64_t age = parts_.options.wall_clock() - scan.newest;
  if (age >= 0 && age < settle) return std::chrono::nanoseconds(settle - age);
  if (scan.ahead == 0 || all_cached) return std::nullopt;
  // Times in the future say nothing about the age: two equal looks do.
  const runtime::TimePoint now = parts_.scope.executor().now();
  if (entry.ahead != scan.ahead) {
    entry.ahead = scan.ahead;
    entry.ahead_since = now;
  }
  const runtime::Duration left = entry.ahead_since + parts_.options.settle - now;
  if (left > runtime::Duration::zero()) return left;
  return std::nullopt;
}

/// A root that fails once has not lost its games: they stay as they were, unless it goes on failing.
Examiner::Again Examiner::root_not_seen(Entry& entry, const Error& error) {
  if (error.system == ENOENT || error.system == ENOTDIR) return not_seen(entry, error);
  if (++entry.root_failures < kRootTries) return parts_.options.retry;
  return not_seen(entry, error);
}

runtime::Task<Result<Examiner::Seen>> Examiner::scan(Entry& entry, runtime::CancellationToken token) {
  entry.touches.clear();
  entry.unwatched_due.reset();
  const runtime::TimePoint begun = parts_.scope.executor().now();
  const auto job = [disk = &parts_.disk, watcher = parts_.options.watcher, root = entry.root, name = entry.name,
                    now = parts_.options.wall_clock(), offered = entry.shown.offered, installed = entry.installed,
                    disowned = entry.disowned,
                    bounds = entry.shown.bounds](const runtime::StopFlag& stop) -> Result<Seen> {
    if (const auto illegal = protocol::game_id_problem(name)) {
      ScannedGame game;
      game.unshareable = true;
      game.problems.push_back({protocol::printable(name), *illegal});
      return Seen{std::make_shared<const ScannedGame>(std::move(game)), {}};
    }
    const auto directory = disk->open(root, false, false);
    if (!directory) return Seen{nullptr, {}, directory.error()};
    const std::unique_ptr<WatchWalk> walk = watcher != nullptr ? watcher->walk({root, name}) : nullptr;
    Result<ScannedGame> game = scan_game(**directory, name, now, walk.get(), bounds.get(), stop);
    if (!game) return std::unexpected(game.error());
    Seen seen{std::make_shared<const ScannedGame>(std::move(*game)), {}};
    if (offered) seen.comparison = compare(*seen.scan, *offered);
    auto record = read_installed(**directory, name, installed);
    // Without it nobody can tell whether a change is a new version.
    if (!record) return Seen{nullptr, {}, record.error()};
    if (*record && (*record)->stamp != disowned) seen.installed = std::move(*record);
    return seen;
  };
  Result<Seen> seen = co_await runtime::offload(parts_.workers, job, token);
  token.throw_if_requested();
  const runtime::TimePoint now = parts_.scope.executor().now();
  entry.spared_until = now + std::min<runtime::Duration>(kSpare * (now - begun), kMostSpared);
  if (seen && seen->scan) {
    entry.root_failures = 0;
    if (seen->scan->unwatched) entry.unwatched_due = now + parts_.options.unwatched_interval;
  }
  co_return seen;
}

runtime::Task<KnownChunks> Examiner::consult_cache(Entry& entry, std::shared_ptr<const ScannedGame> scan,
                                                   runtime::CancellationToken token) {
  if (entry.distrusted) {
    const auto forget = [store = &parts_.store, root = entry.root, name = entry.name](const runtime::StopFlag&) {
      return store->forget_game(root, name);
    };
    entry.distrusted = false;  // a withdrawal from now on sets it anew
    warn(co_await runtime::offload(parts_.store_thread, forget, runtime::CancellationToken()));
    token.throw_if_requested();
  }
  const auto load = [store = &parts_.store, root = entry.root, name = entry.name](const runtime::StopFlag&) {
    return store->load_game(root, name);
  };
  Result<std::vector<store::CachedFile>> cached = co_await runtime::offload(parts_.store_thread, load, token);
  if (!cached) {
    parts_.log.warn("the hash cache: " + cached.error().message);
    cached.emplace();
  }
  const auto match = [&scan, &cached](const runtime::StopFlag&) { return match_cache(*scan, std::move(*cached)); };
  KnownChunks known = co_await runtime::offload(parts_.workers, match, token);
  token.throw_if_requested();
  co_return known;
}

runtime::Task<void> Examiner::offer(Entry& entry, std::shared_ptr<const ScannedGame> scan, KnownChunks known,
                                    runtime::CancellationToken token) {
  const auto job = [&scan, &known](const runtime::StopFlag&) { return assemble(*scan, std::move(known)); };
  const auto offered = co_await runtime::offload(parts_.workers, job, token);
  token.throw_if_requested();
  LocalGame game = describe(entry, *scan, offered ? GameState::ready : GameState::unshareable);
  if (offered) {
    game.offered = *offered;
  } else {
    game.problems.push_back({"", offered.error().message});
  }
  show(entry, std::move(game));
}

runtime::Task<void> Examiner::prune(const Entry& entry, std::shared_ptr<const ScannedGame> scan,
                                    runtime::CancellationToken token) {
  const auto job = [store = &parts_.store, root = entry.root, name = entry.name, &scan](const runtime::StopFlag&) {
    std::vector<std::string> keep;
    keep.reserve(scan->files.size());
    for (const ScannedFile& file : scan->files) keep.push_back(file.path);
    return store->prune_game(root, name, keep);
  };
  warn(co_await runtime::offload(parts_.store_thread, job, token));
}

}  // namespace peer::library
