// Examiner: one look at one game: scan, cache, hashing, verdict.
//
// A look ends with the game shown as ready, unshareable or damaged, or as hashing with a time for the next look.
// Loop: the library's. Cancel: at every step between jobs; what was hashed by then is in the cache.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libpeer/library/assembly.h"
#include "libpeer/library/catalogue.h"
#include "libpeer/library/hashing.h"
#include "libpeer/runtime/semaphore.h"

namespace peer::library {

/// Reports of changes, gathered until there is a moment of quiet, though not for ever.
class Touches {
 public:
  static constexpr runtime::Duration kQuiet = std::chrono::milliseconds(200);
  static constexpr runtime::Duration kPatience = std::chrono::seconds(2);

  void note(runtime::TimePoint now) noexcept {
    if (!due_) latest_ = now + kPatience;
    due_ = std::min(now + kQuiet, latest_);
  }
  void clear() noexcept { due_.reset(); }
  /// When to look; nothing: no report came.
  const std::optional<runtime::TimePoint>& due() const noexcept { return due_; }

 private:
  std::optional<runtime::TimePoint> due_;
  runtime::TimePoint latest_{};
};

/// A game's directory as the library knows it.
struct Entry {
  Entry(std::string n, std::string r);

  const std::string name;
  const std::string root;
  std::vector<std::string> shadowed_roots;
  LocalGame shown;                                   ///< the catalogue has copies
  std::uint64_t since = 0;                           ///< the listing after which it was entered
  bool gone = false;                                 ///< no longer the library's; what is still under way shows nothing
  bool distrusted = false;                           ///< the cache's rows are not to be believed
  bool doubted = false;                              ///< a reader found it other than it is shown
  std::shared_ptr<const Installed> installed;        ///< null: the game is its user's own
  store::FileStamp disowned{};                       ///< of a record that does not fit what lies there any more
  runtime::Semaphore turn{1};                        ///< looks and adoptions come one after the other
  runtime::CancellationSource* under_way = nullptr;  ///< the look that has the turn
  std::optional<runtime::TimePoint> due;             ///< the next look
  Touches touches;                                   ///< since the latest scan began
  runtime::TimePoint spared_until{};  ///< no touch is followed before: scans take a small part of the time
  std::optional<runtime::TimePoint> unwatched_due;  ///< the next look at a game that is not wholly watched
  int root_failures = 0;                            ///< looks in a row that could not open the root
  std::uint64_t ahead = 0;                          ///< ScannedGame::ahead when it was last seen to change,
  runtime::TimePoint ahead_since{};                 ///< and when that was
};

class Examiner {
 public:
  static constexpr std::size_t kLooks = 8;         ///< games scanned at the same time
  static constexpr std::size_t kStreams = 2;       ///< files read at the same time in one root
  static constexpr std::size_t kHashingGames = 2;  ///< games hashed at the same time in one root
  static constexpr int kPatience = 4;              ///< looks of one patient call
  static constexpr int kRootTries = 3;             ///< looks that fail at the root before a game counts as damaged
  static constexpr int kSpare = 10;                ///< touches: a scan is followed by so many times its duration
  static constexpr std::int64_t kYoung =
      2'000'000'000;  ///< ns; a file changed so short before it was read is not cached

  struct Parts {
    runtime::Scope& scope;
    store::Disk& disk;
    runtime::Workers& workers;
    store::Store& store;
    runtime::Workers& store_thread;
    const LibraryOptions& options;
    const Log& log;
    Catalogue& catalogue;
    std::function<void(Entry&)> vanished;  ///< its directory is no more
    std::function<void()> due_changed;
  };
  explicit Examiner(Parts parts) : parts_(std::move(parts)) {}

  /// `patient`: a game that is not at rest is waited for, within reason.
  runtime::Task<void> look(std::shared_ptr<Entry> entry, bool patient, runtime::CancellationToken token);

  void show(Entry& entry, LocalGame game, runtime::Duration within = Catalogue::kGather);
  std::uint64_t bytes_read() const noexcept { return bytes_read_.load(std::memory_order_relaxed); }

 private:
  using Again = std::optional<runtime::Duration>;  ///< when to look again; nothing: there is a verdict
  struct Seen {
    std::shared_ptr<const ScannedGame> scan;  ///< null: the root could not be opened, and says why
    Comparison comparison;
    Error root{};
    std::shared_ptr<const Installed> installed{};
  };
  struct HashRun;
  struct UnderWay;
  struct RootLimits {
    runtime::Semaphore games{kHashingGames};
    runtime::Semaphore streams{kStreams};
  };

  runtime::Task<Again> examine(Entry& entry, runtime::CancellationToken token);
  runtime::Task<Again> examine_installed(Entry& entry, std::shared_ptr<const ScannedGame> scanned,
                                         runtime::CancellationToken token);
  runtime::Task<InstalledGame> judge(Entry& entry, std::shared_ptr<const ScannedGame> scan, const KnownChunks& known,
                                     runtime::CancellationToken token);
  void show_installed(Entry& entry, const ScannedGame& scan, const InstalledGame& judged, GameState state);
  runtime::Task<std::optional<Again>> hash_missing(Entry& entry, std::shared_ptr<const ScannedGame> scan,
                                                   KnownChunks& known, runtime::CancellationToken token);
  runtime::Task<Result<Seen>> scan(Entry& entry, runtime::CancellationToken token);
  runtime::Task<KnownChunks> consult_cache(Entry& entry, std::shared_ptr<const ScannedGame> scan,
                                           runtime::CancellationToken token);
  runtime::Task<void> hash(HashRun& run, runtime::CancellationToken token);
  static runtime::Task<void> stream(Examiner* self, HashRun* run, runtime::CancellationToken token);
  runtime::Task<void> save(HashRun& run, runtime::CancellationToken token);
  void take(HashRun& run, HashSlice slice);
  runtime::Task<void> offer(Entry& entry, std::shared_ptr<const ScannedGame> scan, KnownChunks known,
                            runtime::CancellationToken token);
  runtime::Task<void> prune(const Entry& entry, std::shared_ptr<const ScannedGame> scan,
                            runtime::CancellationToken token);

  Again not_at_rest(Entry& entry, const ScannedGame& scan, bool all_cached) const;
  Again not_seen(Entry& entry, const Error& error);
  Again root_not_seen(Entry& entry, const Error& error);
  runtime::Duration rest() const;
  LocalGame describe(const Entry& entry, const ScannedGame& scan, GameState state) const;
  void warn(const Result<void>& result) const;

  Parts parts_;
  runtime::Semaphore looks_{kLooks};
  std::map<std::string, RootLimits> limits_;
  std::atomic<std::uint64_t> bytes_read_ = 0;
};

}  // namespace peer::library
