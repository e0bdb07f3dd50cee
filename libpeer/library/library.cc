#include "libpeer/library/library.h"

#include <algorithm>

#include "libpeer/library/game_scanner.h"
#include "libpeer/library/link_policy.h"
#include "libpeer/library/root_monitor.h"
#include "libpeer/library/watcher.h"
#include "libpeer/protocol/path.h"
#include "libpeer/runtime/with_scope.h"

namespace peer::library {

struct Library::Impl {
  Impl(runtime::Scope& s, store::Disk& d, runtime::Workers& w, store::Store& st, runtime::Workers& t, LibraryOptions o,
       Log l)
      : scope(s), disk(d), workers(w), options(std::move(o)), log(std::move(l)), cache(st, t, log) {
    PEER_CHECK(options.wall_clock && !options.roots.empty());
  }

  runtime::Task<void> serve(runtime::Scope& scans);
  void on_change(const WatchSubject& subject);
  /// Starts every scan that is due. Returns the time until the next one.
  runtime::Duration start_due_scans(runtime::Scope& scans);

  runtime::Scope& scope;
  store::Disk& disk;
  runtime::Workers& workers;
  const LibraryOptions options;
  const Log log;
  HashCache cache;
  std::shared_ptr<const LinkPolicy> bounds =
      std::make_shared<const LinkPolicy>(disk, options.roots, options.protected_trees, options.protected_files);
  Catalogue catalogue{scope.executor()};
  GameTable games{scope.executor(), options, bounds, catalogue};
  RootMonitor roots{scope.executor(), disk, workers, options, log, catalogue, games};
  GameScanner scanner{scope, disk, workers, options, log, cache, games};
};

void Library::Impl::on_change(const WatchSubject& subject) {
  const runtime::TimePoint now = scope.executor().now();
  if (subject.game.empty()) {
    roots.note_change(now);
  } else {
    const auto entry = games.find(subject.game);
    if (!entry || entry->root != subject.root) return;  // a listing finds new games
    entry->schedule.note_change(now);
  }
  games.schedule_changed().set();
}

runtime::Duration Library::Impl::start_due_scans(runtime::Scope& scans) {
  const runtime::TimePoint now = scope.executor().now();
  runtime::Duration wait = options.scan_interval;
  for (const auto& [name, entry] : games.entries()) {
    const std::optional<runtime::TimePoint> due =
        entry->schedule.next(entry->turn.exhausted(), entry->shown.offered != nullptr);
    if (!due) continue;
    if (*due > now) {
      wait = std::min(wait, *due - now);
      continue;
    }
    entry->schedule.clear();
    scans.spawn("scan " + entry->shown.id, scanner.scan(entry, false, scans.token()));
  }
  return wait;
}

runtime::Task<void> Library::Impl::serve(runtime::Scope& scans) {
  runtime::Executor& executor = scope.executor();
  const runtime::CancellationToken token = scans.token();
  runtime::TimePoint next_full_scan = executor.now();
  if (options.watcher != nullptr) {
    scans.spawn("watch", options.watcher->run([this](const WatchSubject& subject) { on_change(subject); }, token));
  }
  for (;;) {
    games.schedule_changed().reset();
    if (executor.now() >= next_full_scan) {
      co_await roots.list(token);
      catalogue.set_complete();
      for (const auto& [name, entry] : games.entries()) {
        if (!entry->turn.exhausted()) entry->schedule.request(executor.now());
      }
      next_full_scan = executor.now() + options.scan_interval;
    } else if (executor.now() >= roots.next_listing()) {
      co_await roots.list(token);
    } else if (executor.now() >= roots.next_missing_check()) {
      const bool returned = co_await roots.has_missing_root_returned(token);
      if (returned) co_await roots.list(token);
    }
    const runtime::Duration due = start_due_scans(scans);
    const runtime::TimePoint now = executor.now();
    const runtime::Duration wait =
        std::min({due, next_full_scan - now, roots.next_listing() - now, roots.next_missing_check() - now});
    co_await games.schedule_changed().wait_for(executor, wait, token);
  }
}

Library::Library(runtime::Scope& scope, store::Disk& disk, runtime::Workers& workers, store::Store& store,
                 runtime::Workers& store_thread, LibraryOptions options, Log log)
    : impl_(std::make_unique<Impl>(scope, disk, workers, store, store_thread, std::move(options), std::move(log))) {}

Library::~Library() = default;

runtime::Task<void> Library::run(runtime::CancellationToken token) {
  const auto serve = [this](runtime::Scope& scans) { return impl_->serve(scans); };
  co_await runtime::with_scope(impl_->scope, "library", serve, token);
}

std::shared_ptr<const Snapshot> Library::snapshot() const { return impl_->catalogue.snapshot(); }

void Library::on_change(std::function<void(bool)> callback) { impl_->catalogue.on_change(std::move(callback)); }

std::uint64_t Library::bytes_read() const noexcept { return impl_->scanner.bytes_read(); }

runtime::Task<Result<void>> Library::rescan(std::optional<std::string> game, runtime::CancellationToken token) {
  co_await impl_->roots.list(token);
  if (game && !impl_->games.find(*game)) {
    impl_->catalogue.publish();
    co_return fail(ErrorCode::not_found, "there is no game '" + protocol::printable(*game) + "' in the library");
  }
  {
    runtime::Scope scans(impl_->scope, "rescan", token);
    for (const auto& [name, entry] : impl_->games.entries()) {
      if (game && name != *game) continue;
      scans.spawn("scan " + entry->shown.id, impl_->scanner.scan(entry, true, scans.token()));
    }
    co_await scans.join();
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
  std::shared_ptr<GameEntry> entry;
  runtime::SemaphoreUnits turn;
  for (;;) {
    entry = impl_->games.entry_to_adopt(game);
    if (entry->running != nullptr) entry->running->request();  // it scans the previous content
    runtime::SemaphoreUnits acquired = co_await entry->turn.acquire(1, token);
    if (entry->removed) continue;
    turn = std::move(acquired);
    break;
  }
  const auto install = [this, root = entry->root, &game, &document](const runtime::StopFlag&) {
    return adopt_installed(impl_->disk, root, game, std::move(document), impl_->bounds.get());
  };
  const auto offered = co_await runtime::offload(impl_->workers, install, token);
  if (!offered) {
    impl_->games.request_scan(*entry);
    co_return std::unexpected(offered.error());
  }
  const Result<void> saved = co_await impl_->cache.replace(entry->root, game, *offered);
  impl_->cache.warn(saved);
  entry->cache_distrusted = false;
  entry->schedule.clear_request();
  LocalGame shown;
  shown.id = entry->shown.id;
  shown.root = entry->root;
  shown.state = GameState::ready;
  shown.downloaded = true;
  shown.offered = *offered;
  shown.size = (*offered)->document->manifest.total_size();
  shown.files = (*offered)->document->manifest.files.size();
  impl_->games.show(*entry, std::move(shown));
  impl_->catalogue.publish();
  impl_->games.request_scan(*entry);  // it finds files that were added, and watches the new directories
  co_return Result<void>();
}

runtime::Task<Result<void>> Library::publish(std::string game, runtime::CancellationToken token) {
  if (const std::shared_ptr<GameEntry> entry = impl_->games.find(game)) {
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

void Library::report_mismatch(const std::string& game) {
  const std::shared_ptr<GameEntry> entry = impl_->games.find(game);
  if (!entry) return;
  if (!entry->record) return withdraw(game);
  if (!std::exchange(entry->mismatch_reported, true)) impl_->games.request_mismatch_scan(*entry);
}

void Library::withdraw(const std::string& game) {
  const std::shared_ptr<GameEntry> entry = impl_->games.find(game);
  if (!entry) return;
  entry->cache_distrusted = true;
  LocalGame shown = entry->shown;
  shown.state = GameState::hashing;
  shown.offered = nullptr;
  shown.bytes_hashed = 0;
  impl_->games.show(*entry, std::move(shown));
  if (entry->running != nullptr) entry->running->request();
  impl_->games.request_scan(*entry);
  impl_->catalogue.publish();
}

}  // namespace peer::library
