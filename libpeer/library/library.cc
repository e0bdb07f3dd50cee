#include "libpeer/library/library.h"

#include <algorithm>
#include <cerrno>
#include <set>

#include "libpeer/library/bounds.h"
#include "libpeer/library/examiner.h"
#include "libpeer/library/scan.h"
#include "libpeer/library/watcher.h"
#include "libpeer/protocol/path.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/runtime/with_scope.h"

namespace peer::library {

namespace {
constexpr runtime::Duration kPoll = std::chrono::seconds(2);
}

struct Library::Impl {
  Impl(runtime::Scope& s, store::Disk& d, runtime::Workers& w, store::Store& st, runtime::Workers& t, LibraryOptions o,
       Log l)
      : scope(s), disk(d), workers(w), store(st), store_thread(t), options(std::move(o)), log(std::move(l)) {
    PEER_CHECK(options.wall_clock && !options.roots.empty());
  }

  runtime::Task<void> list(runtime::CancellationToken token);
  runtime::Task<bool> came_back(runtime::CancellationToken token);
  void apply(const FoundGames& found, std::uint64_t listing);
  void report(const FoundGames& found);
  std::shared_ptr<Entry> enter(const std::string& name, const std::string& root);
  void drop(const std::string& name);
  std::shared_ptr<Entry> entry_to_adopt(const std::string& name);
  runtime::Duration begin_due(runtime::Scope& looks);
  std::optional<runtime::TimePoint> next_look(const Entry& entry) const;
  void touched(const Subject& subject);
  runtime::TimePoint listing_due() const {
    return std::min(next_listing, root_touches.due().value_or(runtime::TimePoint::max()));
  }
  runtime::Task<void> serve(runtime::Scope& looks);
  void look_soon(Entry& entry) {
    entry.due = scope.executor().now();
    changed.set();
  }

  runtime::Scope& scope;
  store::Disk& disk;
  runtime::Workers& workers;
  store::Store& store;
  runtime::Workers& store_thread;
  const LibraryOptions options;
  const Log log;
  std::shared_ptr<const Bounds> bounds =
      std::make_shared<const Bounds>(disk, options.roots, options.protected_trees, options.protected_files);
  Catalogue catalogue{scope.executor()};
  std::map<std::string, std::shared_ptr<Entry>> games;  // by the directory's name
  std::uint64_t listings = 0;
  std::set<std::string> reported;                               // complaints of the last listing
  Touches root_touches;                                         // since the latest listing began
  runtime::TimePoint next_listing = runtime::TimePoint::max();  // besides the scans
  std::vector<std::string> gone;                             // roots that are not there: nothing tells of their return
  runtime::TimePoint next_poll = runtime::TimePoint::max();  // of those
  runtime::Duration retry = options.retry;                   // while a root fails
  runtime::Event changed;                                    // something became due
  Examiner examiner{{scope, disk, workers, store, store_thread, options, log, catalogue,
                     [this](Entry& entry) {
                       const auto at = games.find(entry.name);
                       if (at != games.end() && at->second.get() == &entry) drop(entry.name);
                     },
                     [this] { changed.set(); }}};
};

std::shared_ptr<Entry> Library::Impl::enter(const std::string& name, const std::string& root) {
  auto entry = std::make_shared<Entry>(name, root);
  entry->since = listings;
  entry->shown.bounds = bounds;
  games[name] = entry;
  return entry;
}

void Library::Impl::drop(const std::string& name) {
  const auto at = games.find(name);
  const std::shared_ptr<Entry> entry = at->second;
  entry->gone = true;
  if (entry->under_way != nullptr) entry->under_way->request();
  if (options.watcher != nullptr) options.watcher->forget({entry->root, entry->name});
  catalogue.remove(entry->shown.id);
  games.erase(at);
}

runtime::Task<void> Library::Impl::list(runtime::CancellationToken token) {
  const std::uint64_t listing = ++listings;
  root_touches.clear();
  const auto job = [this](const runtime::StopFlag&) { return find_games(disk, options.roots, options.watcher); };
  const FoundGames found = co_await runtime::offload(workers, job, token);
  token.throw_if_requested();
  apply(found, listing);
  report(found);
  std::vector<Problem> missing;
  gone.clear();
  for (const FailedRoot& failed : found.failures) {
    missing.push_back({protocol::printable(failed.root), failed.error.message});
    if (failed.gone()) gone.push_back(failed.root);
  }
  catalogue.set_missing_roots(std::move(missing));
  next_poll = gone.empty() ? runtime::TimePoint::max() : runtime::time_after(scope.executor(), kPoll);
  next_listing = runtime::TimePoint::max();
  if (options.watcher != nullptr && (found.unwatched || !found.failures.empty())) {
    next_listing = runtime::time_after(scope.executor(), options.unwatched_interval);
  }
  if (std::ranges::all_of(found.failures, &FailedRoot::gone)) {
    retry = options.retry;
  } else {
    next_listing = std::min(next_listing, runtime::time_after(scope.executor(), retry));
    retry = std::min(2 * retry, options.scan_interval);
  }
}

/// Only opens the roots that were gone.
runtime::Task<bool> Library::Impl::came_back(runtime::CancellationToken token) {
  const auto look = [this, roots = gone](const runtime::StopFlag&) {
    return std::ranges::any_of(roots, [this](const std::string& root) {
      const auto opened = disk.open(root, false, false);
      return opened || (opened.error().system != ENOENT && opened.error().system != ENOTDIR);
    });
  };
  const bool back = co_await runtime::offload(workers, look, token);
  next_poll = runtime::time_after(scope.executor(), kPoll);
  co_return back;
}

void Library::Impl::apply(const FoundGames& found, std::uint64_t listing) {
  std::vector<std::string> lost;
  for (const auto& [name, entry] : games) {
    const auto at = std::ranges::lower_bound(found.games, name, {}, &FoundGame::name);
    const bool here = at != found.games.end() && at->name == name && at->root == entry->root;
    const bool unknown = std::ranges::any_of(
        found.failures, [&](const FailedRoot& failed) { return failed.root == entry->root && !failed.gone(); });
    // One that was entered since may have come after the listing had passed its place.
    if (!here && !unknown && entry->since < listing) lost.push_back(name);
  }
  for (const std::string& name : lost) drop(name);
  for (const FoundGame& game : found.games) {
    const auto at = games.find(game.name);
    const bool fresh = at == games.end();
    const std::shared_ptr<Entry> entry = fresh ? enter(game.name, game.root) : at->second;
    if (entry->root != game.root) continue;  // its own could not be read just now
    entry->shadowed_roots = game.shadowed_roots;
    if (fresh) examiner.show(*entry, entry->shown);
    if (fresh || entry->root_failures > 0) look_soon(*entry);
  }
}

void Library::Impl::report(const FoundGames& found) {
  std::set<std::string> complaints;
  for (const FailedRoot& failed : found.failures) {
    complaints.insert("a library root cannot be read: " + failed.error.message);
  }
  for (const FoundGame& game : found.games) {
    for (const std::string& root : game.shadowed_roots) {
      complaints.insert("'" + protocol::printable(game.name) + "' lies in " + game.root + " and in " + root +
                        ": the first is used");
    }
  }
  for (const std::string& complaint : complaints) {
    if (!reported.contains(complaint)) log.warn(complaint);
  }
  reported = std::move(complaints);
}

std::optional<runtime::TimePoint> Library::Impl::next_look(const Entry& entry) const {
  std::optional<runtime::TimePoint> next = entry.due;
  if (entry.turn.exhausted()) return next;  // its end asks again
  // A game that has to rest first, and offers nothing that might have to be withdrawn, gains nothing by earlier looks.
  if (entry.due && !entry.shown.offered) return next;
  if (entry.unwatched_due) next = std::min(next.value_or(runtime::TimePoint::max()), *entry.unwatched_due);
  if (entry.touches.due()) {
    next = std::min(next.value_or(runtime::TimePoint::max()), std::max(*entry.touches.due(), entry.spared_until));
  }
  return next;
}

void Library::Impl::touched(const Subject& subject) {
  const runtime::TimePoint now = scope.executor().now();
  if (subject.game.empty()) {
    root_touches.note(now);
  } else {
    const auto at = games.find(subject.game);
    if (at == games.end() || at->second->root != subject.root) return;  // a listing finds what is new
    at->second->touches.note(now);
  }
  changed.set();
}

runtime::Duration Library::Impl::begin_due(runtime::Scope& looks) {
  const runtime::TimePoint now = scope.executor().now();
  runtime::Duration wait = options.scan_interval;
  for (const auto& [name, entry] : games) {
    const std::optional<runtime::TimePoint> due = next_look(*entry);
    if (!due) continue;
    if (*due > now) {
      wait = std::min(wait, *due - now);
      continue;
    }
    entry->due.reset();
    entry->touches.clear();
    entry->unwatched_due.reset();
    looks.spawn("look at " + entry->shown.id, examiner.look(entry, false, looks.token()));
  }
  return wait;
}

runtime::Task<void> Library::Impl::serve(runtime::Scope& looks) {
  runtime::Executor& executor = scope.executor();
  const runtime::CancellationToken token = looks.token();
  runtime::TimePoint next_scan = executor.now();
  if (options.watcher != nullptr) {
    looks.spawn("watch", options.watcher->run([this](const Subject& subject) { touched(subject); }, token));
  }
  for (;;) {
    changed.reset();
    if (executor.now() >= next_scan) {
      co_await list(token);
      catalogue.set_complete();
      for (const auto& [name, entry] : games) {
        if (!entry->turn.exhausted()) entry->due = executor.now();
      }
      next_scan = executor.now() + options.scan_interval;
    } else if (executor.now() >= listing_due()) {
      co_await list(token);
    } else if (executor.now() >= next_poll) {
      const bool back = co_await came_back(token);
      if (back) co_await list(token);
    }
    const runtime::Duration due = begin_due(looks);
    const runtime::Duration wait =
        std::min({due, next_scan - executor.now(), listing_due() - executor.now(), next_poll - executor.now()});
    co_await changed.wait_for(executor, wait, token);
  }
}

std::shared_ptr<Entry> Library::Impl::entry_to_adopt(const std::string& name) {
  const auto at = games.find(name);
  if (at != games.end() && at->second->root == options.roots.front()) return at->second;
  std::vector<std::string> shadowed;
  if (at != games.end()) {  // the first root wins from now on
    shadowed = at->second->shadowed_roots;
    shadowed.insert(shadowed.begin(), at->second->root);
    drop(name);
  }
  std::shared_ptr<Entry> entry = enter(name, options.roots.front());
  entry->shadowed_roots = std::move(shadowed);
  return entry;
}

Library::Library(runtime::Scope& scope, store::Disk& disk, runtime::Workers& workers, store::Store& store,
                 runtime::Workers& store_thread, LibraryOptions options, Log log)
    : impl_(std::make_unique<Impl>(scope, disk, workers, store, store_thread, std::move(options), std::move(log))) {}

Library::~Library() = default;

runtime::Task<void> Library::run(runtime::CancellationToken token) {
  const auto serve = [this](runtime::Scope& looks) { return impl_->serve(looks); };
  co_await runtime::with_scope(impl_->scope, "library", serve, token);
}

std::shared_ptr<const Snapshot> Library::snapshot() const { return impl_->catalogue.snapshot(); }

void Library::on_change(std::function<void(bool)> callback) { impl_->catalogue.on_change(std::move(callback)); }

std::uint64_t Library::bytes_read() const noexcept { return impl_->examiner.bytes_read(); }

runtime::Task<Result<void>> Library::rescan(std::optional<std::string> game, runtime::CancellationToken token) {
  co_await impl_->list(token);
  if (game && !impl_->games.contains(*game)) {
    impl_->catalogue.publish();
    co_return fail(ErrorCode::no_such_game, "there is no game '" + protocol::printable(*game) + "' in the library");
  }
  {
    runtime::Scope looks(impl_->scope, "rescan", token);
    for (const auto& [name, entry] : impl_->games) {
      if (game && name != *game) continue;
      looks.spawn("look at " + entry->shown.id, impl_->examiner.look(entry, true, looks.token()));
    }
    co_await looks.join();
  }
  token.throw_if_requested();
  impl_->catalogue.publish();
  co_return Result<void>();
}

runtime::Task<Result<void>> Library::adopt(std::string game, protocol::ManifestDocument document,
                                           runtime::CancellationToken token) {
  if (const auto illegal = protocol::game_id_problem(game)) {
    co_return fail(ErrorCode::invalid, "'" + protocol::printable(game) + "' " + *illegal);
  }
  std::shared_ptr<Entry> entry;
  runtime::SemaphoreUnits turn;
  for (;;) {
    entry = impl_->entry_to_adopt(game);
    if (entry->under_way != nullptr) entry->under_way->request();  // it looks at what was there before
    runtime::SemaphoreUnits mine = co_await entry->turn.acquire(1, token);
    if (entry->gone) continue;
    turn = std::move(mine);
    break;
  }
  const std::string root = entry->root;
  const auto install = [this, &root, &game, &document](const runtime::StopFlag&) {
    return adopt_installed(impl_->disk, root, game, std::move(document), impl_->bounds.get());
  };
  const auto offered = co_await runtime::offload(impl_->workers, install, token);
  if (!offered) {
    impl_->look_soon(*entry);
    co_return std::unexpected(offered.error());
  }
  const std::shared_ptr<const OfferedGame>& version = *offered;
  const auto save = [this, &root, &game, version](const runtime::StopFlag&) -> Result<void> {
    if (Result<void> forgotten = impl_->store.forget_game(root, game); !forgotten) return forgotten;
    return impl_->store.save_files(root, game, rows_of(*version));
  };
  const Result<void> saved = co_await runtime::offload(impl_->store_thread, save, runtime::CancellationToken());
  if (!saved) impl_->log.warn("the hash cache: " + saved.error().message);
  entry->distrusted = false;
  entry->due.reset();
  LocalGame shown;
  shown.id = entry->shown.id;
  shown.root = root;
  shown.state = GameState::ready;
  shown.downloaded = true;
  shown.offered = version;
  shown.size = version->document->manifest.total_size();
  shown.files = version->document->manifest.files.size();
  impl_->examiner.show(*entry, std::move(shown));
  impl_->catalogue.publish();
  impl_->look_soon(*entry);  // for what was added to it, and what is new is not watched yet
  co_return Result<void>();
}

runtime::Task<Result<void>> Library::publish(std::string game, runtime::CancellationToken token) {
  const auto at = impl_->games.find(game);
  if (at != impl_->games.end()) {
    const std::shared_ptr<Entry> entry = at->second;
    const auto forget = [this, root = entry->root, name = entry->name](const runtime::StopFlag&) -> Result<void> {
      const auto directory = impl_->disk.open(root, false, false);
      if (!directory) return std::unexpected(directory.error());
      return forget_installed(**directory, name);
    };
    const Result<void> forgotten = co_await runtime::offload(impl_->workers, forget, token);
    if (!forgotten) co_return forgotten;
  }
  co_return co_await rescan(std::move(game), token);
}

void Library::doubt(const std::string& game) {
  const auto at = impl_->games.find(game);
  if (at == impl_->games.end()) return;
  if (!at->second->installed) return withdraw(game);
  at->second->doubted = true;
  impl_->look_soon(*at->second);
}

void Library::withdraw(const std::string& game) {
  const auto at = impl_->games.find(game);
  if (at == impl_->games.end()) return;
  Entry& entry = *at->second;
  entry.distrusted = true;
  LocalGame shown = entry.shown;
  shown.state = GameState::hashing;
  shown.offered = nullptr;
  shown.bytes_hashed = 0;
  impl_->examiner.show(entry, std::move(shown));
  if (entry.under_way != nullptr) entry.under_way->request();
  impl_->look_soon(entry);
  impl_->catalogue.publish();
}

}  // namespace peer::library
