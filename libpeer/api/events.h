// Typed events that a peer emits while it runs. control/ translates them to JSON; rpc.discover documents that JSON
// below "x-events".
#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "libpeer/api/commands.h"
#include "libpeer/base/digest.h"

namespace peer::api {

struct RuntimeReady {};
struct RuntimeFailed {
  std::string component, error;
};
struct ServiceRestarted {
  std::string component, error;
  std::uint64_t restarts = 0;
};
struct ShuttingDown {};

struct PeerEvent {
  enum class Kind { discovered, connected, lost, goodbye, banned } kind;
  PeerId id;
  std::string name;
  std::string reason;  ///< banned
};

struct GamesUpdated {};
struct LocalLibraryChanged {
  std::vector<std::string> added;    ///< games offered now that were not here at the start, or gone since
  std::vector<std::string> removed;  ///< games that are here no more
};

struct DownloadEvent {
  enum class Kind { begin, progress, finished, failed, cancelled, all_peers_gone } kind;
  DownloadInfo download;  ///< as it stands now; `error` set for failed
};

struct VerifyEvent {
  std::string game;
  Digest version;
  VerifyProgress progress;
};

using Event = std::variant<RuntimeReady, RuntimeFailed, ServiceRestarted, ShuttingDown, PeerEvent, GamesUpdated,
                           LocalLibraryChanged, DownloadEvent, VerifyEvent>;

/// The name on the wire: "PeerGoodbye", "DownloadGameFilesProgress", ...
std::string_view event_name(const Event& event) noexcept;

/// Called on the control loop; must not throw and must not wait.
using EventSink = std::function<void(const Event&)>;

}  // namespace peer::api
