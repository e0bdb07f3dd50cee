// Downloads: the table of downloads under way, their queue, and what became of the last ones.
//
// 1. One download a game at a time; asking again attaches to it.
// 2. A download that was begun ends in exactly one of Finished, Failed, Cancelled, AllPeersGone; none if the runtime
// stops first.
// 3. A download's bookkeeping is one guard held by its task: completion, error, cancellation and abandonment all clear
// the tables.
// 4. One that is paused has no turn and nothing open, keeps its place in the order, and goes on where it was.
// 5. Trouble with the disk pauses the one download that met it; it is tried again, from time to time, until it is over.
// Loop: control.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "libpeer/api/events.h"
#include "libpeer/base/log.h"
#include "libpeer/library/library.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/sessions/peer_table.h"
#include "libpeer/store/store.h"
#include "libpeer/transfer/download.h"

namespace peer::downloads {

struct DownloadsOptions {
  transfer::DownloadContext context;
  const sessions::PeerTable* table = nullptr;
  library::Library* library = nullptr;
  store::Store* store = nullptr;
  runtime::Workers* store_thread = nullptr;
  std::function<std::int64_t()> wall_clock;
  std::size_t parallel = 3;
  std::vector<std::string> automatic;  ///< globs
  api::EventSink on_event;
  Log log;
  DownloadsOptions() = default;
};

class Downloads {
 public:
  Downloads(runtime::Scope& parent, DownloadsOptions options);
  ~Downloads();

  /// Chooses the version, begins the download or attaches to the one under way. Loop: control.
  Result<api::DownloadInfo> start(const api::StartDownload& command);
  /// Returns at once, unless a download of the game is just ending: then after its end.
  runtime::Task<void> let_end(std::string game, runtime::CancellationToken token);
  /// From here on a crash does not lose it, if it is under way.
  runtime::Task<void> put_on_record(std::string game, runtime::CancellationToken token);
  /// What it would take; nothing is begun.
  runtime::Task<Result<api::DownloadInfo>> plan(api::StartDownload command, runtime::CancellationToken token);
  /// As the commands of those names; each answers once it is durable. resume() also begins again what failed or lost
  /// its peers.
  runtime::Task<Result<api::DownloadInfo>> pause(std::string game, runtime::CancellationToken token);
  runtime::Task<Result<api::DownloadInfo>> resume(std::string game, runtime::CancellationToken token);
  runtime::Task<Result<api::DownloadInfo>> move(std::string game, std::uint64_t position,
                                                runtime::CancellationToken token);
  /// Answers when it is over and its staging gone; also of one that failed or lost its peers.
  runtime::Task<Result<bool>> cancel(std::string game, runtime::CancellationToken token);
  /// Puts the installed version whole in its place again; answers when that is done.
  runtime::Task<Result<bool>> repair(std::string game, Digest version, runtime::CancellationToken token);
  /// Drops what an earlier download of a game left. False: there is nothing.
  runtime::Task<Result<bool>> discard(std::string game, runtime::CancellationToken token);
  /// A game that was here is no longer: its past is not told any more, and the trash is emptied.
  void removed(const std::string& game);
  std::vector<api::DownloadInfo> list() const;
  std::size_t active() const noexcept { return active_.size(); }
  bool downloading(const std::string& game) const { return active_.contains(game); }

  /// Holds for what begins from now on.
  void reconfigure(std::size_t parallel, std::uint64_t reserve, std::vector<std::string> automatic);
  /// Begins, from time to time, what is to be here by itself.
  runtime::Task<void> keep_up_to_date(runtime::CancellationToken token);

  /// Takes up what the last run left; each waits until a peer appears.
  runtime::Task<void> restore(runtime::CancellationToken token);
  /// Who offers what, or what is here, is no longer as it was.
  void sources_changed();

  /// From here on nothing more is said of any download. stop() follows.
  void fall_silent() noexcept { stopping_ = true; }
  /// Stops all, without a terminal event: the next start begins them again. Returns when every task has ended.
  runtime::Task<void> stop();

 private:
  struct Active;
  class Guard;
  /// What became of a download, and what it takes to begin it again.
  struct Past : api::DownloadInfo {
    Past(api::DownloadInfo info, const Active& active);
    std::optional<std::string> wanted;  ///< a version's prefix
    bool repair = false;
    bool automatic = false;  ///< a user's own game stays
  };

  struct Choice {
    Digest version;
    std::uint64_t size = 0;
    bool here = false;  ///< installed already
  };
  Result<std::set<PeerId>> resolve(const std::vector<std::string>& names) const;
  Result<Choice> choose(const std::string& game, const std::optional<std::string>& version,
                        const std::set<PeerId>& from) const;
  std::vector<api::RemoteVersion> candidates(const std::string& game, const std::set<PeerId>& from) const;
  bool installed(const std::string& game, const Digest& version) const;
  // download_attach.cc
  Result<std::set<PeerId>> resolve_for(const Active& active, const std::vector<std::string>& names) const;
  static std::optional<std::string> version_conflict(const Active& active, const api::StartDownload& command);
  std::optional<std::string> source_conflict(const Active& active, const std::set<PeerId>& from, bool may_wait) const;
  Result<api::DownloadInfo> attach(Active& active, const api::StartDownload& command);
  // download_plan.cc
  double expected_rate() const;
  runtime::Task<Result<std::shared_ptr<const protocol::ManifestDocument>>> manifest_of(
      std::string game, Digest version, std::set<PeerId> from, runtime::CancellationToken token);
  // download_queue.cc
  Result<std::shared_ptr<Active>> under_way(const std::string& game) const;
  Result<std::shared_ptr<Active>> again(const std::string& game) const;
  std::vector<std::shared_ptr<Active>> in_order() const;
  static std::uint64_t received(const Active& active);
  static std::uint64_t reused(const Active& active);
  static std::uint64_t timed(const Active& active);
  runtime::Duration elapsed(const Active& active) const;
  void carry_on(Active& active) const;
  static std::string format_options(const Active& active, runtime::TimePoint now);
  static void parse_options(std::string_view text, Active& active, runtime::TimePoint now);
  runtime::Task<void> save(std::shared_ptr<Active> active, runtime::CancellationToken token);
  runtime::Task<void> forget(std::string game);
  runtime::Task<Result<bool>> discard_staging(std::string game, runtime::CancellationToken token);
  runtime::Task<void> empty_trash(runtime::CancellationToken token);
  void save_progress(Active& active);
  // download_task.cc
  runtime::Task<void> run(std::shared_ptr<Active> active, runtime::CancellationToken token);
  runtime::Task<void> run_attempts(Active& active, Guard& guard, runtime::CancellationToken token);
  runtime::Task<void> wait_resumed(Active& active, runtime::CancellationToken token);
  runtime::Task<void> run_in_turn(Active& active, Guard& guard, runtime::CancellationToken token);
  runtime::Task<void> fetch(Active& active, runtime::CancellationToken token);
  // automatic.cc
  bool is_automatic(const std::string& game) const;
  void begin_automatic(const std::string& game);
  // download_trouble.cc
  bool take_trouble(Active& active, const Error& error);
  runtime::Task<void> wait_out_trouble(Active& active, runtime::CancellationToken token);
  void note_progress(Active& active);
  runtime::Task<void> wait_turn(Active& active, Guard& guard, runtime::CancellationToken token);
  runtime::Task<void> wait_for_version(Active& active, runtime::CancellationToken token);
  runtime::Task<void> settle_version(Active& active, runtime::CancellationToken token);
  bool choose_any(Active& active) const;
  bool offered(const Active& active) const;
  void enter(std::shared_ptr<Active> active);
  static void decide(Active& active, api::DownloadEvent::Kind kind, std::optional<Error> error);
  api::DownloadInfo info(const Active& active) const;
  void tell(Active& active, api::DownloadEvent::Kind kind);

  runtime::Scope scope_;
  DownloadsOptions options_;
  Log log_;
  std::map<std::string, std::shared_ptr<Active>> active_;
  std::map<std::string, Past> past_;  ///< the last outcome by game, bounded
  std::size_t running_ = 0;
  std::uint64_t next_position_ = 1;
  runtime::Event turn_;
  runtime::Event table_changed_;
  bool stopping_ = false;
  runtime::Event automatic_due_;
  std::set<std::string> dismissed_;                     ///< by a person, in this run: not fetched by themselves
  std::map<std::string, runtime::TimePoint> retry_at_;  ///< after what was fetched by itself came to nothing
};

/// The version that a download takes by default: newest `modified` (future times ignored), then most peers, then lowest
/// hash. Units: `now` in ns since 1970.
const api::RemoteVersion* choose_version(const std::vector<api::RemoteVersion>& offered, std::int64_t now);

}  // namespace peer::downloads
