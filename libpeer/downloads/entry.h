// DownloadEntry: the state of one download under way.
// Loop: control.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "libpeer/api/events.h"
#include "libpeer/downloads/disk_trouble.h"
#include "libpeer/downloads/peer_wait.h"
#include "libpeer/runtime/event.h"
#include "libpeer/transfer/download.h"

namespace peer::downloads {

/// What a download was requested to fetch.
struct DownloadRequest {
  std::string game;
  Digest version;
  bool version_known = false;
  bool pinned = false;                         ///< no other version is accepted
  std::optional<std::string> version_prefix;   ///< as requested
  std::uint64_t size = 0;                      ///< bytes of the version
  std::set<PeerId> from;                       ///< the only peers to fetch from; empty: any
  std::map<std::string, PeerId> from_typed{};  ///< the peers by the names with which they were requested
  bool automatic = false;                      ///< started by downloads.auto: never replaces an own game
  bool repair = false;                         ///< runs although the version is installed
};

/// Figures of all attempts of a download. The attempt under way is counted by its transfer::Download.
struct DownloadFigures {
  transfer::Progress progress;                       ///< of the latest attempt
  std::uint64_t received_before = 0;                 ///< bytes that earlier attempts received
  std::map<PeerId, std::uint64_t> sources_before{};  ///< the same by source
  runtime::Duration elapsed_before{};                ///< time that earlier attempts took, as far as it was measured
  std::uint64_t timed_before = 0;                    ///< bytes received in that time
  runtime::TimePoint began{};                        ///< start of the attempt under way
};

/// The state of a download that was last saved to the store.
struct SavedFigures {
  std::uint64_t received = 0;
  std::uint64_t reused = 0;
  runtime::TimePoint at{};
};

/// The progress of a download.
struct DownloadStatus {
  api::DownloadState state = api::DownloadState::queued;
  std::optional<Error> error;
  bool begun = false;                              ///< DownloadGameFilesBegin was emitted
  std::optional<api::DownloadEvent::Kind> ending;  ///< how it ends; set when that is decided
  bool over = false;                               ///< its task has ended
};

/// A download's place in the queue.
struct QueuePlace {
  std::uint64_t position = 0;
  bool in_line = false;  ///< it waits for nothing but its turn
  bool running = false;  ///< it has its turn
};

struct DownloadEntry {
  DownloadRequest request;
  PeerWait wait;         ///< how long it waits after the loss of all peers
  bool patient = false;  ///< waits for its next peer indefinitely
  QueuePlace place;
  DownloadStatus status;
  DiskTrouble trouble;
  DownloadFigures figures;
  SavedFigures saved;
  bool cancelled = false;  ///< by a command
  bool paused = false;     ///< by a command
  runtime::Event changed;  ///< set when a member changes that a task or command waits for
  runtime::CancellationSource stop;
  runtime::CancellationSource* attempt = nullptr;  ///< stops the attempt under way; null: there is none
  std::unique_ptr<transfer::Download> download;    ///< the attempt under way, once it fetches

  explicit DownloadEntry(const runtime::CancellationToken& parent) : stop(parent) {}
  const std::string& game() const noexcept { return request.game; }

  /// After a restart or a pause other peers may be present. A download that has had a peer waits for the next one
  /// indefinitely; any other download keeps its wait, if it has one.
  void update_patience() { patient = request.version_known || !wait.brought(); }
  void decide(api::DownloadEvent::Kind kind, std::optional<Error> error);
  /// Ends the attempt under way, and adds its figures to those of earlier attempts.
  void end_attempt(runtime::TimePoint now);

  /// Payload received since the download first began. Bytes that a crash prevented from being saved to the store are
  /// found in the staging.
  std::uint64_t received() const;
  /// Bytes reused from this disk since the download first began.
  std::uint64_t reused() const;
  /// The part of received() that arrived while elapsed() counted, so that their quotient is a rate.
  std::uint64_t timed() const;
  runtime::Duration elapsed(runtime::TimePoint now) const;
  api::DownloadInfo info(runtime::TimePoint now) const;
};

}  // namespace peer::downloads
