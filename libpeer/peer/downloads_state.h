// The inside of Downloads; only downloads.cc and download_task.cc know it. Loop: control.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "peer/downloads.h"

namespace peer::node {

struct Downloads::Active {
  std::string game;
  Digest version;
  bool version_known = false;
  bool pinned = false;                ///< that version and no other
  std::optional<std::string> wanted;  ///< a version's prefix
  std::set<PeerId> from;              ///< only these; empty: any
  bool wait = false;                  ///< no peer is no end, until the time is over
  rt::TimePoint wait_until = rt::TimePoint::max();
  bool restored = false;  ///< from the last run: waits for its first peer, as long as that takes
  std::uint64_t position = 0;
  bool in_line = false;  ///< nothing but its turn is missing
  std::uint64_t size = 0;
  DownloadState state = DownloadState::queued;
  std::optional<Error> error;
  rt::TimePoint began{};
  bool begun = false;                         ///< DownloadGameFilesBegin was told
  std::optional<DownloadEvent::Kind> ending;  ///< decided
  bool cancelled = false;                     ///< by a person
  rt::CancellationSource stop;
  std::unique_ptr<transfer::Download> download;
  transfer::Progress progress;

  explicit Active(const rt::CancellationToken& parent) : stop(parent) {}
};

// Clears the tables when the download's task ends, however it ends.
class Downloads::Guard {
 public:
  Guard(Downloads& downloads, std::shared_ptr<Active> active);
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  ~Guard();
  void count_as_running();

 private:
  Downloads& downloads_;
  std::shared_ptr<Active> active_;
  bool running_ = false;
};

}  // namespace peer::node
