// DownloadTable: the downloads under way with their order, and the outcome of past ones. Pure state.
// Loop: control.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libpeer/downloads/entry.h"

namespace peer::downloads {

/// The outcome of a download, and the data with which it can be started again.
struct PastDownload : api::DownloadInfo {
  PastDownload(api::DownloadInfo info, const DownloadRequest& request);
  std::optional<std::string> version_prefix;
  bool repair = false;
  bool automatic = false;
  std::uint64_t sequence = 0;  ///< grows with each download that ends
};

class DownloadTable {
 public:
  using EntryPtr = std::shared_ptr<DownloadEntry>;
  static constexpr std::size_t kMaxPast = 200;

  /// Adds a download at the end of the queue.
  void add(EntryPtr entry);
  /// Null if the game is not being downloaded.
  EntryPtr find(const std::string& game) const;
  bool contains(const std::string& game) const { return active_.contains(game); }
  std::size_t size() const noexcept { return active_.size(); }
  const std::map<std::string, EntryPtr>& all() const noexcept { return active_; }
  std::vector<EntryPtr> in_order() const;
  /// Moves a download to a position that counts from 1. Returns the downloads whose position has changed.
  std::vector<EntryPtr> move(const EntryPtr& entry, std::uint64_t position);
  /// Removes a download.
  void remove(const std::string& game) { active_.erase(game); }

  /// Fails: not_found, with the outcome of the game's last download.
  Result<EntryPtr> under_way(const std::string& game) const;
  /// A new entry for a download that failed or lost its peers, with the same version, peers and figures. Fails: as
  /// under_way().
  Result<EntryPtr> revive(const std::string& game, const runtime::CancellationToken& parent) const;
  /// Gives a new download the figures of an earlier one that ended early, whose staging it continues.
  void inherit_figures(DownloadEntry& entry) const;

  /// Keeps the outcome of a download. Limits: the last kMaxPast outcomes.
  void add_past(PastDownload past);
  void remove_past(const std::string& game) { past_.erase(game); }
  /// Null if there is none.
  const PastDownload* past(const std::string& game) const;
  const std::map<std::string, PastDownload>& past() const noexcept { return past_; }

 private:
  std::map<std::string, EntryPtr> active_;
  std::map<std::string, PastDownload> past_;  ///< the last outcome of each game
  std::uint64_t next_position_ = 1;
  std::uint64_t ended_ = 0;  ///< downloads that ended so far
};

}  // namespace peer::downloads
