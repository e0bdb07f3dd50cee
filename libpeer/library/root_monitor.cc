#include "libpeer/library/root_monitor.h"

#include <algorithm>
#include <cerrno>

#include "libpeer/protocol/path.h"
#include "libpeer/runtime/sleep.h"

namespace peer::library {

namespace {
constexpr runtime::Duration kMissingCheckInterval = std::chrono::seconds(2);
}

RootMonitor::RootMonitor(runtime::Executor& executor, store::Disk& disk, runtime::Workers& workers,
                         const LibraryOptions& options, const Log& log, Catalogue& catalogue, GameTable& games)
    : executor_(executor),
      disk_(disk),
      workers_(workers),
      options_(options),
      log_(log),
      catalogue_(catalogue),
      games_(games),
      retry_(options.retry) {}

runtime::TimePoint RootMonitor::next_listing() const noexcept {
  return std::min(next_listing_, changes_.due().value_or(runtime::TimePoint::max()));
}

runtime::Task<void> RootMonitor::list(runtime::CancellationToken token) {
  const std::uint64_t listing = games_.begin_listing();
  changes_.clear();
  const auto job = [this](const runtime::StopFlag&) { return find_games(disk_, options_.roots, options_.watcher); };
  const FoundGames found = co_await runtime::offload(workers_, job, token);
  token.throw_if_requested();
  games_.apply(found, listing);
  report(found);
  schedule(found);
}

void RootMonitor::report(const FoundGames& found) {
  std::set<std::string> problems;
  for (const FailedRoot& failed : found.failures) {
    problems.insert("a library root cannot be read: " + failed.error.message);
  }
  for (const FoundGame& game : found.games) {
    for (const std::string& root : game.shadowed_roots) {
      problems.insert("game '" + protocol::printable(game.name) + "' is in two library roots: " + game.root +
                      " is used, " + root + " is ignored");
    }
  }
  for (const std::string& problem : problems) {
    if (!reported_.contains(problem)) log_.warn(problem);
  }
  reported_ = std::move(problems);
  std::vector<Problem> failed_roots;
  missing_.clear();
  for (const FailedRoot& failed : found.failures) {
    failed_roots.push_back({protocol::printable(failed.root), failed.error.message});
    if (failed.missing()) missing_.push_back(failed.root);
  }
  catalogue_.set_missing_roots(std::move(failed_roots));
}

void RootMonitor::schedule(const FoundGames& found) {
  next_missing_check_ =
      missing_.empty() ? runtime::TimePoint::max() : runtime::time_after(executor_, kMissingCheckInterval);
  next_listing_ = runtime::TimePoint::max();
  if (options_.watcher != nullptr && (found.unwatched || !found.failures.empty())) {
    next_listing_ = runtime::time_after(executor_, options_.unwatched_interval);
  }
  if (std::ranges::all_of(found.failures, &FailedRoot::missing)) {
    retry_ = options_.retry;
  } else {
    next_listing_ = std::min(next_listing_, runtime::time_after(executor_, retry_));
    retry_ = std::min(2 * retry_, options_.scan_interval);
  }
}

runtime::Task<bool> RootMonitor::has_missing_root_returned(runtime::CancellationToken token) {
  const auto check = [this, roots = missing_](const runtime::StopFlag&) {
    return std::ranges::any_of(roots, [this](const std::string& root) {
      const auto opened = disk_.open(root, false, false);
      return opened || (opened.error().system != ENOENT && opened.error().system != ENOTDIR);
    });
  };
  const bool returned = co_await runtime::offload(workers_, check, token);
  next_missing_check_ = runtime::time_after(executor_, kMissingCheckInterval);
  co_return returned;
}

}  // namespace peer::library
