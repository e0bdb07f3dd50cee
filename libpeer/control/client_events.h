// What both sides of the control socket know: the names of all events, and how the daemon's end is told.
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

/// A stop that somebody asked for.
inline constexpr const char* kStopped = "peerd stopped";
/// A stop after a failure: what RuntimeFailed says.
inline std::string stop_reason(const std::string& component, const std::string& error) {
  return std::string(kStopped) + " (RuntimeFailed: " + component + ": " + error + ")";
}

}  // namespace peer::control
