#include "libpeer/library/scan.h"

#include <algorithm>
#include <cerrno>
#include <map>

#include "libpeer/library/ignore.h"
#include "libpeer/protocol/path.h"

namespace peer::library {

namespace {

using store::Directory;
using store::DirectoryEntry;
using store::FileInfo;
using store::FileType;

constexpr std::size_t kMaxProblems = 100;

/// One scan of one game.
class GameScan {
 public:
  GameScan(std::int64_t now, WatchWalk* watch, const runtime::StopFlag& stop) : now_(now), watch_(watch), stop_(stop) {}

  void run(Directory& top) {
    watch(top);
    read_rules(top);
    std::string path;
    walk(top, path, 0);
    if (watch_ != nullptr && !stop_.requested() && !full_) watch_->complete();
    std::ranges::sort(game_.files, {}, &ScannedFile::path);
    std::ranges::sort(game_.directories);
    std::ranges::sort(game_.symlinks, {}, &protocol::ManifestSymlink::path);
    if (problems_ > kMaxProblems) {
      game_.problems.push_back({"", "and " + std::to_string(problems_ - kMaxProblems) + " more"});
    }
  }

  /// Updates ScannedGame::newest and future_mark.
  void note_times(const FileInfo& info) {
    for (const std::int64_t time : {info.mtime, info.ctime}) {
      if (time <= now_) {
        game_.newest = std::max(game_.newest, time);
      } else {
        std::uint64_t mark = static_cast<std::uint64_t>(time) ^ (info.size * 0x9E3779B97F4A7C15) ^ info.inode << 32;
        mark *= 0xBF58476D1CE4E5B9;
        game_.future_mark += (mark ^ mark >> 31) | 1;  // a sum does not depend on the order of the listing
        if (game_.future_mark == 0) game_.future_mark = 1;
      }
    }
  }
  ScannedGame& game() noexcept { return game_; }

 private:
  /// Called before the directory is listed, so that no change is missed.
  void watch(const Directory& directory) {
    if (watch_ != nullptr && !watch_->enter(directory.path())) game_.unwatched = true;
  }

  void read_rules(Directory& top) {
    const auto info = top.info(kIgnoreFile);
    if (!info) return;
    const auto text = store::read_file(top, kIgnoreFile, kMaxIgnoreFileBytes);
    if (!text) {
      problem(std::string(kIgnoreFile), "is ignored: " + text.error().message);
      return;
    }
    rules_ = IgnoreRules({reinterpret_cast<const char*>(text->data()), text->size()});
    if (rules_.dropped() > 0) {
      problem(std::string(kIgnoreFile),
              std::to_string(rules_.dropped()) + " rules are ignored: too many rules, or a rule is too long");
    }
  }

  /// Returns whether anything below `path` is shared.
  bool walk(Directory& directory, std::string& path, std::size_t depth) {
    if (stop_.requested() || full_) return true;
    const auto entries = directory.list();
    if (!entries) {
      report_unreadable(path, entries.error());
      return true;
    }
    bool shared = false;
    const std::size_t length = path.size();
    for (const DirectoryEntry& entry : *entries) {
      if (length > 0) path += '/';
      path += entry.name;
      shared |= scan_entry(directory, entry, path, depth);
      path.resize(length);
    }
    return shared;
  }

  /// Returns whether the entry, or anything below it, is shared.
  bool scan_entry(Directory& directory, const DirectoryEntry& entry, std::string& path, std::size_t depth) {
    if (rules_.ignored(path, entry.type == FileType::directory)) return false;
    if (entry.type == FileType::other) {
      problem(path, "is left out: it is not a file, directory or symlink");
      return false;
    }
    // The parent directories were checked before.
    auto illegal = protocol::component_problem(entry.name);
    if (!illegal && (depth + 1 > protocol::kMaxPathDepth || path.size() > protocol::kMaxPathBytes)) {
      illegal = protocol::path_problem(path);
    }
    if (illegal) {
      game_.unshareable = true;
      problem(path, *illegal);
      return true;
    }
    switch (entry.type) {
      case FileType::directory: return scan_directory(directory, entry.name, path, depth);
      case FileType::symlink: return scan_symlink(directory, entry.name, path);
      default: return scan_file(directory, entry.name, path);
    }
  }

  bool scan_directory(Directory& above, const std::string& name, std::string& path, std::size_t depth) {
    const auto info = above.info(name);
    if (!info) return report_unreadable(path, info.error());
    note_times(*info);
    const auto directory = above.open_directory(name, false);
    if (!directory) return report_unreadable(path, directory.error());
    watch(**directory);
    if (!walk(**directory, path, depth + 1) && has_room()) game_.directories.push_back(path);
    return true;
  }

  bool scan_symlink(Directory& directory, const std::string& name, const std::string& path) {
    const auto target = directory.read_link(name);
    if (!target) return report_unreadable(path, target.error());
    if (const auto bad = protocol::symlink_problem(path, *target)) {
      problem(path, *bad + ", so it is left out");
      return false;
    }
    if (has_room()) game_.symlinks.push_back({path, *target});
    return true;
  }

  bool scan_file(Directory& directory, const std::string& name, const std::string& path) {
    const auto info = directory.info(name);
    if (!info) return report_unreadable(path, info.error());
    if (info->type != FileType::regular)
      return report_unreadable(path, Error{ErrorCode::disk_error, "it was replaced during the scan", 0});
    note_times(*info);
    if (has_room()) game_.files.push_back({path, stamp_of(*info), info->executable});
    game_.size += info->size;
    return true;
  }

  /// An entry that was deleted after the listing is not an error. Returns whether the entry counts as shared.
  bool report_unreadable(const std::string& path, const Error& error) {
    if (error.system == ENOENT) return false;
    game_.unreadable = true;
    problem(path, "cannot be read: " + error.message);
    return true;
  }

  /// Whether the manifest has room for one more entry.
  bool has_room() {
    if (game_.files.size() + game_.directories.size() + game_.symlinks.size() < protocol::kMaxManifestEntries)
      return true;
    if (!full_) problem("", "has more than " + std::to_string(protocol::kMaxManifestEntries) + " files");
    full_ = game_.unshareable = true;
    return false;
  }

  void problem(const std::string& path, std::string reason) {
    if (++problems_ <= kMaxProblems) game_.problems.push_back({protocol::printable(path), std::move(reason)});
  }

  ScannedGame game_;
  IgnoreRules rules_;
  std::size_t problems_ = 0;
  bool full_ = false;
  std::int64_t now_;
  WatchWalk* watch_;
  const runtime::StopFlag& stop_;
};

}  // namespace

store::FileStamp stamp_of(const FileInfo& info) noexcept { return {info.size, info.mtime, info.ctime, info.inode}; }

Result<ScannedGame> scan_game(Directory& root, const std::string& game, std::int64_t now, WatchWalk* watch,
                              const LinkPolicy* bounds, const runtime::StopFlag& stop) {
  const auto entry = root.info(game);
  if (!entry) return std::unexpected(entry.error());
  const auto opened = open_game(root, game, bounds);
  Result<void> allowed;
  if (!opened) {
    allowed = std::unexpected(opened.error());
  } else if (bounds != nullptr && !opened->link) {
    allowed = bounds->check(*opened->directory, root.path(), false);
  }
  if (!allowed && allowed.error().code == ErrorCode::refused) {
    ScannedGame refused;
    refused.unshareable = true;
    refused.problems.push_back({"", allowed.error().message});
    return refused;
  }
  if (!allowed) return std::unexpected(allowed.error());
  const auto& top = opened->directory;
  GameScan scan(now, watch, stop);
  if (entry->type == FileType::directory) scan.note_times(*entry);
  scan.run(*top);
  if (stop.requested()) return fail(ErrorCode::cancelled, "the scan was cancelled");
  return std::move(scan.game());
}

bool same_contents(const ScannedGame& a, const ScannedGame& b) {
  return a.files == b.files && a.directories == b.directories &&
         std::ranges::equal(a.symlinks, b.symlinks,
                            [](const auto& x, const auto& y) { return x.path == y.path && x.target == y.target; });
}

bool FailedRoot::missing() const noexcept { return error.system == ENOENT || error.system == ENOTDIR; }

FoundGames find_games(store::Disk& disk, const std::vector<std::string>& roots, Watcher* watcher) {
  FoundGames found;
  std::map<std::string, FoundGame> by_name;
  for (const std::string& root : roots) {
    if (watcher != nullptr) {
      const auto walk = watcher->walk({root, ""});
      if (!walk->enter(root)) found.unwatched = true;
      walk->complete();
    }
    const auto directory = disk.open(root, false, false);
    if (!directory) {
      found.failures.push_back({root, directory.error()});
      continue;
    }
    const auto entries = (*directory)->list();
    if (!entries) {
      found.failures.push_back({root, entries.error()});
      continue;
    }
    for (const DirectoryEntry& entry : *entries) {
      if (entry.name.starts_with('.')) continue;
      if (entry.type == FileType::symlink) {
        if (!(*directory)->open_directory(entry.name, true)) continue;
      } else if (entry.type != FileType::directory) {
        continue;
      }
      const auto [at, first] = by_name.try_emplace(entry.name, FoundGame{entry.name, root, {}});
      if (!first) at->second.shadowed_roots.push_back(root);
    }
  }
  for (auto& [name, game] : by_name) found.games.push_back(std::move(game));
  return found;
}

}  // namespace peer::library
