// The names of all events, for both sides of the control socket.
#pragma once

#include <array>
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

}  // namespace peer::control
