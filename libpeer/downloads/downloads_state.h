// The state of Downloads, for the .cc files that implement it and for nobody else. Loop: control.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "libpeer/downloads/downloads.h"
#include "libpeer/downloads/peer_wait.h"

namespace peer::downloads {

struct Downloads::Active {
  std::string game;
  Digest version;
  bool version_known = false;
  bool pinned = false;                         ///< that version and no other
  std::optional<std::string> wanted;           ///< a version's prefix
  std::set<PeerId> from;                       ///< only these; empty: any
  std::map<std::string, PeerId> from_typed{};  ///< as they were named
  PeerWait wait;                               ///< no peer is no end, until the time is over
  bool patient = false;                        ///< waits for its next peer, as long as that takes
  std::uint64_t position = 0;
  bool in_line = false;  ///< nothing but its turn is missing
  std::uint64_t size = 0;
  api::DownloadState state = api::DownloadState::queued;
  std::optional<Error> error;
  std::optional<Error> trouble;     ///< of the disk: it rests, or is being tried again
  unsigned tries = 0;               ///< since the trouble began
  runtime::TimePoint trouble_at{};  ///< when it was met last,
  std::uint64_t trouble_bytes = 0;  ///< and what was done by then; more is the end of it
  bool try_now = false;             ///< a person asked for it
  bool staged = false;              ///< something of it lies on the disk
  runtime::TimePoint began{};
  bool begun = false;                              ///< DownloadGameFilesBegin was told
  std::optional<api::DownloadEvent::Kind> ending;  ///< decided
  bool cancelled = false;                          ///< by a person
  bool automatic = false;                          ///< begun by downloads.auto: a user's own game stays
  bool repair = false;                             ///< that the version is here already is no end
  bool paused = false;                             ///< by a person
  bool over = false;                               ///< its task has ended
  runtime::Event changed;                          ///< one of the above, or `attempt`
  runtime::CancellationSource stop;
  runtime::CancellationSource* attempt = nullptr;  ///< from one pause to the next; null: at rest
  std::unique_ptr<transfer::Download> download;
  transfer::Progress progress;                       ///< of the latest attempt
  std::uint64_t received_before = 0;                 ///< by the attempts before
  std::map<PeerId, std::uint64_t> sources_before{};  ///< and from whom
  runtime::Duration elapsed_before{};                ///< how long those attempts took that were timed,
  std::uint64_t timed_before = 0;                    ///< and what they received
  std::uint64_t saved = 0;                           ///< what the store was told of the payload received,
  std::uint64_t saved_reused = 0;                    ///< and of the bytes reused
  runtime::TimePoint saved_at{};

  explicit Active(const runtime::CancellationToken& parent) : stop(parent) {}

  /// After a restart or a pause peers may have come and gone. One that has found a peer before waits for the next as
  /// long as that takes; one that has not keeps to its wait, if it has one.
  void be_patient() { patient = version_known || !wait.brought(); }
};

// Clears the tables when the download's task ends, however it ends.
class Downloads::Guard {
 public:
  Guard(Downloads& downloads, std::shared_ptr<Active> active);
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  ~Guard();
  void count_as_running();
  /// Its turn goes to the next.
  void give_up_turn();

 private:
  Downloads& downloads_;
  std::shared_ptr<Active> active_;
  bool running_ = false;
};

}  // namespace peer::downloads
