// What a running peer reports about itself: the answers of commands, and the data of events.
//
// These are plain values without references into the peer: copy them, keep them, and pass them to any thread.
// Units: times are nanoseconds since 1970, sizes are bytes, rates are bytes per second.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/access/access_mode.h"
#include "libpeer/base/digest.h"
#include "libpeer/base/result.h"
#include "libpeer/library/library.h"

namespace peer::api {

struct ServiceStatus {
  std::string name;    ///< QuicServer, Discovery, Liveness or LocalMonitor
  std::string policy;  ///< required, restart or best-effort
  std::string state;   ///< running, restarting, stopped or failed
  std::uint64_t restarts = 0;
  std::string problem;  ///< what does not work although it runs, and what to do; empty: nothing
};

struct Status {
  PeerId peer_id;
  std::string name;
  access::AccessMode access = access::AccessMode::open;
  std::string instance;  ///< changes at each start
  double uptime_s = 0;
  std::vector<std::string> listen;  ///< "ip:port"
  std::vector<ServiceStatus> services;
  std::size_t tasks = 0;
  std::size_t peers = 0;                        ///< connected
  std::size_t games = 0;                        ///< offered by this peer
  std::size_t downloads = 0;                    ///< that have not ended
  std::vector<library::Problem> missing_roots;  ///< library roots that do not exist or cannot be read
};

struct TaskInfo {
  std::string name;
  std::string parent;  ///< its scope
};

/// One version of a game, as connected peers offer it.
struct RemoteVersion {
  Digest version;
  std::uint64_t size = 0;
  std::uint64_t files = 0;
  std::int64_t modified = 0;
  std::vector<PeerId> peers;
};

struct VerifyProgress {
  std::uint64_t bytes_total = 0;
  std::uint64_t bytes_done = 0;
  std::uint64_t damaged = 0;  ///< files found damaged so far
  bool repairing = false;     ///< the comparison is complete, and the damaged files are being fetched
};

struct GameInfo {
  std::string id;
  std::shared_ptr<const library::LocalGame> local;  ///< null: not in this library
  std::vector<RemoteVersion> remote;
  std::optional<VerifyProgress> verifying{};  ///< set while its files are compared
};

/// All games, sorted by id, and the library roots whose games are missing from the list.
struct GameList : std::vector<GameInfo> {
  std::vector<library::Problem> missing_roots;
};

struct GameFile {
  std::string path;
  std::uint64_t size = 0;
  bool executable = false;
};

struct GameDetails {
  GameInfo game;
  Digest version;  ///< the version that `files` belong to
  std::uint64_t files_total = 0;
  std::vector<GameFile> files;  ///< at most ShowGame::limit of them, from ShowGame::offset
};

/// The result of comparing an installed game with its version.
struct Verdict {
  std::string game;
  Digest version;                    ///< the version that the files were compared with
  std::vector<std::string> damaged;  ///< paths
  std::uint64_t bytes = 0;           ///< read
  bool repaired = false;
};

enum class PeerState { connecting, connected, unreachable, refused, banned };
std::string_view to_string(PeerState state) noexcept;

struct PeerInfo {
  std::optional<PeerId> id;  ///< none until the peer has proven one
  std::string name;
  std::vector<std::string> addresses;
  PeerState state = PeerState::connecting;
  std::string reason;                 ///< why one of the two peers refused the other
  bool paired = false;                ///< on this side; only a connection shows whether the other side agrees
  std::vector<std::string> found_by;  ///< mdns, static, exchange, inbound
  std::size_t games = 0;
  std::optional<double> rtt_ms;
  std::optional<double> last_seen_s;
};

struct Disconnected {
  bool connected = false;  ///< there was a session, which has ended
  bool dropped = false;    ///< ConnectPeer had added the peer; it is no longer dialed
  std::string note;        ///< what connects it again; empty: nothing
};

struct Pairing {
  PeerId id;
  std::string name;
  std::string note;  ///< what else has to be done; empty: nothing
};

enum class DownloadState { queued, downloading, verifying, paused, finished, failed, cancelled, peers_gone };
std::string_view to_string(DownloadState state) noexcept;

/// What a download has received from one peer.
struct SourceBytes {
  PeerId id;
  std::uint64_t bytes = 0;
};

/// What a download would take: the answer to a dry run.
struct DownloadPlan {
  std::uint64_t receive = 0;       ///< bytes to fetch from peers
  std::uint64_t space_needed = 0;  ///< on the disk
  std::uint64_t space_available = 0;
  std::uint64_t reserve = 0;  ///< bytes that must stay free
  double rate = 0;            ///< the rate that eta_s assumes
};

struct DownloadInfo {
  std::string game;
  Digest version;
  DownloadState state = DownloadState::queued;
  std::uint64_t bytes_total = 0;
  std::uint64_t bytes_done = 0;      ///< reused, or received and verified
  std::uint64_t bytes_reused = 0;    ///< found on this disk
  std::uint64_t bytes_received = 0;  ///< chunk payload since the download first began, waste included
  double rate = 0;                   ///< over the last seconds
  std::optional<double> eta_s;
  double elapsed_s = 0;           ///< time spent active since the download first began
  std::uint64_t bytes_timed = 0;  ///< received during elapsed_s; excludes bytes that version 0.1.0 received
  std::vector<SourceBytes> sources;
  std::vector<PeerId> from;               ///< the only peers to fetch from; empty: any peer that has the game
  std::optional<std::string> bottleneck;  ///< network, sender, disk, cpu or limit
  std::optional<Error> error;
  std::optional<DownloadPlan> plan{};  ///< set in the answer to a dry run
};

/// Limits on chunk payload in bytes per second; 0: no limit.
struct Limits {
  std::uint64_t up = 0;
  std::uint64_t down = 0;
};

enum class FindingVerdict { good, warning, bad };

/// One result of a diagnosis.
struct Finding {
  FindingVerdict verdict = FindingVerdict::good;
  std::string subject;  ///< configuration, disk, mDNS, ...
  std::string text;     ///< what was found
  std::string fix;      ///< what to do; empty: nothing
};
std::string_view to_string(FindingVerdict verdict) noexcept;

}  // namespace peer::api
