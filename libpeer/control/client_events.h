// Shared by both ends of the control socket: the names of all events, and the messages about a stop.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace peer::control {

inline constexpr std::array<std::string_view, 19> kEventNames{
    "RuntimeReady",
    "RuntimeFailed",
    "ServiceRestarted",
    "ShuttingDown",
    "PeerDiscovered",
    "PeerConnected",
    "PeerLost",
    "PeerGoodbye",
    "PeerBanned",
    "GamesUpdated",
    "LocalLibraryChanged",
    "DownloadGameFilesBegin",
    "DownloadGameFilesProgress",
    "DownloadGameFilesFinished",
    "DownloadGameFilesFailed",
    "DownloadGameFilesCancelled",
    "DownloadGameFilesAllPeersGone",
    "VerifyProgress",
    "overflow",
};

/// The message of a stop on request.
inline constexpr const char* kStopped = "peerd stopped";
/// The message of a stop after the event RuntimeFailed.
inline std::string stop_reason(const std::string& component, const std::string& error) {
  return std::string(kStopped) + " (RuntimeFailed: " + component + ": " + error + ")";
}

}  // namespace peer::control
