#include "libpeer/api/events.h"

namespace peer::api {

std::string_view to_string(PeerState state) noexcept {
  switch (state) {
    case PeerState::connecting: return "connecting";
    case PeerState::connected: return "connected";
    case PeerState::unreachable: return "unreachable";
    case PeerState::refused: return "refused";
    case PeerState::banned: return "banned";
  }
  return "unreachable";
}

std::string_view to_string(DownloadState state) noexcept {
  switch (state) {
    case DownloadState::queued: return "queued";
    case DownloadState::downloading: return "downloading";
    case DownloadState::verifying: return "verifying";
    case DownloadState::paused: return "paused";
    case DownloadState::finished: return "finished";
    case DownloadState::failed: return "failed";
    case DownloadState::cancelled: return "cancelled";
    case DownloadState::peers_gone: return "peers_gone";
  }
  return "failed";
}

std::string_view to_string(FindingVerdict verdict) noexcept {
  switch (verdict) {
    case FindingVerdict::good: return "good";
    case FindingVerdict::warning: return "warning";
    case FindingVerdict::bad: return "bad";
  }
  return "bad";
}

namespace {
struct Name {
  std::string_view operator()(const RuntimeReady&) const { return "RuntimeReady"; }
  std::string_view operator()(const RuntimeFailed&) const { return "RuntimeFailed"; }
  std::string_view operator()(const ServiceRestarted&) const { return "ServiceRestarted"; }
  std::string_view operator()(const ShuttingDown&) const { return "ShuttingDown"; }
  std::string_view operator()(const GamesUpdated&) const { return "GamesUpdated"; }
  std::string_view operator()(const LocalLibraryChanged&) const { return "LocalLibraryChanged"; }
  std::string_view operator()(const VerifyEvent&) const { return "VerifyProgress"; }
  std::string_view operator()(const PeerEvent& event) const {
    switch (event.kind) {
      case PeerEvent::Kind::discovered: return "PeerDiscovered";
      case PeerEvent::Kind::connected: return "PeerConnected";
      case PeerEvent::Kind::lost: return "PeerLost";
      case PeerEvent::Kind::goodbye: return "PeerGoodbye";
      case PeerEvent::Kind::banned: return "PeerBanned";
    }
    return "PeerLost";
  }
  std::string_view operator()(const DownloadEvent& event) const {
    switch (event.kind) {
      case DownloadEvent::Kind::begin: return "DownloadGameFilesBegin";
      case DownloadEvent::Kind::progress: return "DownloadGameFilesProgress";
      case DownloadEvent::Kind::finished: return "DownloadGameFilesFinished";
      case DownloadEvent::Kind::failed: return "DownloadGameFilesFailed";
      case DownloadEvent::Kind::cancelled: return "DownloadGameFilesCancelled";
      case DownloadEvent::Kind::all_peers_gone: return "DownloadGameFilesAllPeersGone";
    }
    return "DownloadGameFilesFailed";
  }
};
}  // namespace

std::string_view event_name(const Event& event) noexcept { return std::visit(Name{}, event); }

}  // namespace peer::api
