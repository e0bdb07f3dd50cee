// Library: the games on this machine's disks, scanned, hashed and offered as immutable snapshots.
//
// Scanning and hashing run on workers and never hold up the loop. A game is offered (`ready`) when it has been at rest
// for `settle` and is fully hashed; a file whose stamp is in the cache is not read again.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libpeer/base/log.h"
#include "libpeer/base/result.h"
#include "libpeer/protocol/manifest.h"
#include "libpeer/protocol/messages.h"
#include "libpeer/runtime/event.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/store/disk.h"
#include "libpeer/store/store.h"

namespace peer::library {

class Bounds;
class Watcher;

enum class GameState { ready, hashing, downloading, modified, damaged, unshareable };
std::string_view to_string(GameState state) noexcept;

struct Problem {
  std::string path;
  std::string reason;
  bool operator==(const Problem&) const = default;
};

/// A version of a game that lies on this disk, hashed: whole, or, if it was changed since it was installed, in part.
struct OfferedGame {
  Digest version;
  std::shared_ptr<const protocol::ManifestDocument> document;
  std::vector<store::FileStamp> stamps;  ///< one a manifest file: as they were when hashed
  std::vector<bool> intact;              ///< one a chunk; empty: all of them
  /// The files, sorted, whose executable bit is not what this disk shows: its file system does not keep it.
  std::vector<std::size_t> other_bits;

  bool holds(std::size_t first_chunk, std::size_t count) const;
  /// The file is there as it should be.
  bool holds_file(std::size_t file) const;
};

struct LocalGame {
  std::string id;
  std::string root;  ///< the library root's path
  GameState state = GameState::hashing;
  std::shared_ptr<const OfferedGame> offered;  ///< null while nothing is
  std::uint64_t size = 0;                      ///< of the files found
  std::uint64_t files = 0;
  std::uint64_t bytes_hashed = 0;  ///< while hashing
  std::vector<Problem> problems;
  bool downloaded = false;               ///< it was installed by a download; else it is its user's own, or not seen yet
  std::shared_ptr<const Bounds> bounds;  ///< for whoever opens it: where it must not lead; null: nothing is known
};

/// Immutable; shared between loops. Games are sorted by id.
struct Snapshot {
  std::uint64_t revision = 0;  ///< counts up whenever what is offered changes
  Digest digest;               ///< protocol::library_digest of the summaries
  /// Library roots that are not there or cannot be read, with the reason.
  std::vector<Problem> missing_roots;
  bool complete = false;  ///< the first listing is in it: what comes later is new
  std::vector<std::shared_ptr<const LocalGame>> games;

  const LocalGame* find(std::string_view id) const;
  std::vector<protocol::GameSummary> summaries() const;  ///< of what is offered
};

struct LibraryOptions {
  std::vector<std::string> roots;            ///< absolute; the first receives downloads
  std::vector<std::string> protected_trees;  ///< no game is, lies in or holds them: the state directory
  std::vector<std::string> protected_files;  ///< no game holds them: keys, the configuration
  runtime::Duration settle = std::chrono::seconds(5);
  runtime::Duration scan_interval = std::chrono::minutes(5);
  /// Tells of changes between the scans; must outlive the library. Null: there are only the scans.
  Watcher* watcher = nullptr;
  runtime::Duration unwatched_interval = std::chrono::minutes(1);  ///< scans of what the watcher could not watch
  runtime::Duration retry = std::chrono::seconds(5);               ///< after a root could not be read
  /// The wall clock, for `settle` and for times in the future: ns since 1970.
  std::function<std::int64_t()> wall_clock;
};

class Library {
 public:
  /// Everything given must outlive it. `workers` scan and hash; `store_thread` runs the store's calls. Loop: the
  /// scope's.
  Library(runtime::Scope& scope, store::Disk& disk, runtime::Workers& workers, store::Store& store,
          runtime::Workers& store_thread, LibraryOptions options, Log log);
  ~Library();

  /// The service LocalMonitor: first scan, then a scan whenever one is due or asked for. Ends when cancelled.
  runtime::Task<void> run(runtime::CancellationToken token);

  /// Never null. Loop: the library's; the snapshot may go to any.
  std::shared_ptr<const Snapshot> snapshot() const;
  /// Called on the library's loop after each new snapshot: `offered` tells whether what is offered changed, or only
  /// states and progress.
  void on_change(std::function<void(bool offered)> callback);

  /// Scans one game, or all, at once; returns when every game concerned has its verdict (hashed where it has to be).
  /// Fails: not_found.
  runtime::Task<Result<void>> rescan(std::optional<std::string> game, runtime::CancellationToken token);

  /// A download put this game in place, every chunk verified just now: offer it without reading it again.
  runtime::Task<Result<void>> adopt(std::string game, protocol::ManifestDocument document,
                                    runtime::CancellationToken token);

  /// What lies in an installed game's directory now is a version of its own from here on. Returns when it is offered.
  /// Fails: not_found, disk errors.
  runtime::Task<Result<void>> publish(std::string game, runtime::CancellationToken token);

  /// A file turned out to be other than its stamp says: withdraw the game and hash again.
  void withdraw(const std::string& game);
  /// A file could not be read as it was offered. What stays offered of an installed game is found out first.
  void doubt(const std::string& game);

  /// File content read so far for hashing. Any thread.
  std::uint64_t bytes_read() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peer::library
