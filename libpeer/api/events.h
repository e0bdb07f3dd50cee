// Events that a running peer emits, as typed values.
//
//   options.on_event = [](const api::Event& event) {
//     if (const auto* peer = std::get_if<api::PeerEvent>(&event)) print(event_name(event), peer->name);
//   };
//
// The control socket sends the same events as JSON; rpc.discover describes them in "x-events". Loop: control.
#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "libpeer/api/commands.h"
#include "libpeer/base/digest.h"

namespace peer::api {

/// The peer has started.
struct RuntimeReady {};

/// A required component failed. ShuttingDown follows.
struct RuntimeFailed {
  std::string component, error;
};

/// A service failed and will be started again.
struct ServiceRestarted {
  std::string component, error;
  std::uint64_t restarts = 0;
};

/// The shutdown has begun: no event about downloads follows.
struct ShuttingDown {};

struct PeerEvent {
  enum class Kind { discovered, connected, lost, goodbye, banned } kind;
  PeerId id;
  std::string name;
  std::string reason;  ///< of a ban
};

/// The games that connected peers offer have changed.
struct GamesUpdated {};

/// The games that this peer offers have changed.
struct LocalLibraryChanged {
  std::vector<std::string> added;    ///< newly offered games; not those that existed at the start
  std::vector<std::string> removed;  ///< games that no longer exist here
};

struct DownloadEvent {
  enum class Kind { begin, progress, finished, failed, cancelled, all_peers_gone } kind;
  DownloadInfo download;  ///< its state after the event; `error` is set for `failed`
};

struct VerifyEvent {
  std::string game;
  Digest version;
  VerifyProgress progress;
};

using Event = std::variant<RuntimeReady, RuntimeFailed, ServiceRestarted, ShuttingDown, PeerEvent, GamesUpdated,
                           LocalLibraryChanged, DownloadEvent, VerifyEvent>;

/// The event's name on the control socket: "PeerGoodbye", "DownloadGameFilesProgress", ...
std::string_view event_name(const Event& event) noexcept;

/// Called on the control loop. It must not block. An exception is logged and dropped.
using EventSink = std::function<void(const Event&)>;

}  // namespace peer::api
