// Library: scans, hashes and offers the games on this machine's disks, as immutable snapshots.
//
// A game is offered (state `ready`) when it has been at rest for `settle` and every file is hashed. A file whose stamp
// is in the hash cache is not read again. Scanning and hashing run on workers and never block the loop.
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
#include "libpeer/library/snapshot.h"
#include "libpeer/protocol/manifest.h"
#include "libpeer/runtime/event.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/store/disk.h"
#include "libpeer/store/store.h"

namespace peer::library {

class Watcher;

struct LibraryOptions {
  std::vector<std::string> roots;  ///< absolute paths; the first root receives downloads
  std::vector<std::string>
      protected_trees;  ///< directories that no game may be, contain or be inside: the state directory
  std::vector<std::string> protected_files;  ///< files that no game may contain: keys, the configuration
  runtime::Duration settle = std::chrono::seconds(5);
  runtime::Duration scan_interval = std::chrono::minutes(5);
  /// Reports changes between the periodic scans; must outlive the library. Null: periodic scans only.
  Watcher* watcher = nullptr;
  runtime::Duration unwatched_interval = std::chrono::minutes(1);  ///< between scans of unwatched directories
  runtime::Duration retry = std::chrono::seconds(5);               ///< first delay after a root could not be read
  /// The wall clock in ns since 1970, for `settle` and for timestamps in the future.
  std::function<std::int64_t()> wall_clock;
};

/// Loop: the scope's, unless a function says otherwise.
class Library {
 public:
  /// `workers` scan and hash; `store_thread` runs the store's calls. Every argument must outlive the library.
  Library(runtime::Scope& scope, store::Disk& disk, runtime::Workers& workers, store::Store& store,
          runtime::Workers& store_thread, LibraryOptions options, Log log);
  ~Library();

  /// The service LocalMonitor: scans at the start, then whenever a scan is due or requested. Ends when cancelled.
  runtime::Task<void> run(runtime::CancellationToken token);

  /// Never null. The snapshot may be passed to any loop.
  std::shared_ptr<const Snapshot> snapshot() const;
  /// Called after each new snapshot. `offered` is false if only states or progress changed.
  void on_change(std::function<void(bool offered)> callback);

  /// Scans one game, or all games, and returns when each is hashed as far as necessary. Fails: not_found.
  runtime::Task<Result<void>> rescan(std::optional<std::string> game, runtime::CancellationToken token);

  /// Offers a game that a download has just verified and installed, without reading it again.
  runtime::Task<Result<void>> adopt(std::string game, protocol::ManifestDocument document,
                                    runtime::CancellationToken token);

  /// Offers the current content of an installed game as a new version, and drops its installed record. Returns when the
  /// new version is offered. Fails: not_found, disk errors.
  runtime::Task<Result<void>> publish(std::string game, runtime::CancellationToken token);

  /// Stops offering the game and hashes it again: a file's content does not match its stamp.
  void withdraw(const std::string& game);
  /// Scans the game again: a file could not be read as it was offered. An installed game remains offered meanwhile;
  /// any other game is withdrawn.
  void report_mismatch(const std::string& game);

  /// Bytes of file content that were read for hashing. Loop: any thread.
  std::uint64_t bytes_read() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peer::library
