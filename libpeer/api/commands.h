// What can be asked of a running peer and what it answers: typed commands, as control/ translates them from JSON.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "libpeer/access/access_mode.h"
#include "libpeer/base/digest.h"
#include "libpeer/base/result.h"
#include "libpeer/library/library.h"
#include "libpeer/runtime/cancellation.h"
#include "libpeer/runtime/executor.h"

namespace peer::api {

struct ServiceStatus {
  std::string name;    ///< QuicServer, Discovery, Liveness, LocalMonitor
  std::string policy;  ///< required, restart, best-effort
  std::string state;   ///< running, restarting, stopped, failed
  std::uint64_t restarts = 0;
  std::string problem;  ///< what it lacks while it runs, and what to do; empty: nothing
};

struct Status {
  PeerId peer_id;
  std::string name;
  access::AccessMode access = access::AccessMode::open;
  std::string instance;  ///< changes with every start
  double uptime_s = 0;
  std::vector<std::string> listen;  ///< "ip:port"
  std::vector<ServiceStatus> services;
  std::size_t tasks = 0;
  std::size_t peers = 0;                        ///< connected
  std::size_t games = 0;                        ///< offered here
  std::size_t downloads = 0;                    ///< not over
  std::vector<library::Problem> missing_roots;  ///< library roots that are not there or cannot be read
};

struct RemoteVersion {
  Digest version;
  std::uint64_t size = 0;
  std::uint64_t files = 0;
  std::int64_t modified = 0;  ///< ns since 1970
  std::vector<PeerId> peers;
};

/// How far a verify is.
struct VerifyProgress {
  std::uint64_t bytes_total = 0;
  std::uint64_t bytes_done = 0;
  std::uint64_t damaged = 0;  ///< files, so far
  bool repairing = false;     ///< all is compared, and what is damaged is being fetched
};

struct GameInfo {
  std::string id;
  std::shared_ptr<const library::LocalGame> local;  ///< null: not here
  std::vector<RemoteVersion> remote;
  std::optional<VerifyProgress> verifying{};  ///< files are being compared now
};

struct GameFile {
  std::string path;
  std::uint64_t size = 0;
  bool executable = false;
};

struct GameDetails {
  GameInfo game;
  Digest version;  ///< whose files these are
  std::uint64_t files_total = 0;
  std::vector<GameFile> files;  ///< from `offset`, at most `limit`
};

enum class PeerState { connecting, connected, unreachable, refused, banned };
std::string_view to_string(PeerState state) noexcept;

struct PeerInfo {
  std::optional<PeerId> id;  ///< none until known
  std::string name;
  std::vector<std::string> addresses;
  PeerState state = PeerState::connecting;
  std::string reason;                 ///< of a refusal, whichever side's
  bool paired = false;                ///< here; whether it is there as well, only a connection tells
  std::vector<std::string> found_by;  ///< mdns, static, exchange, inbound
  std::size_t games = 0;
  std::optional<double> rtt_ms;
  std::optional<double> last_seen_s;
};

enum class DownloadState { queued, downloading, verifying, paused, finished, failed, cancelled, peers_gone };
std::string_view to_string(DownloadState state) noexcept;

struct DownloadSource {
  PeerId id;
  std::uint64_t bytes = 0;
};

/// What a download that is not begun would take.
struct DownloadPlan {
  std::uint64_t receive = 0;       ///< bytes that would travel
  std::uint64_t space_needed = 0;  ///< on the disk
  std::uint64_t space_available = 0;
  std::uint64_t reserve = 0;  ///< to stay free
  double rate = 0;            ///< bytes a second that eta_s assumes
};

struct DownloadInfo {
  std::string game;
  Digest version;
  DownloadState state = DownloadState::queued;
  std::uint64_t bytes_total = 0;
  std::uint64_t bytes_done = 0;      ///< reused and verified
  std::uint64_t bytes_reused = 0;    ///< was on this disk already
  std::uint64_t bytes_received = 0;  ///< chunk payload since the download first began, waste included
  double rate = 0;                   ///< bytes a second, over the last seconds
  std::optional<double> eta_s;
  double elapsed_s = 0;           ///< while it was active, since it first began
  std::uint64_t bytes_timed = 0;  ///< of bytes_received, what came in elapsed_s: all but what 0.1.0 left behind
  std::vector<DownloadSource> sources;
  std::vector<PeerId> from;               ///< it is limited to; empty: any peer that has it
  std::optional<std::string> bottleneck;  ///< network, sender, disk, cpu, limit
  std::optional<Error> error;
  std::optional<DownloadPlan> plan{};  ///< the answer to a dry run
};

// Commands. Each names its answer.

struct GetStatus {
  using Reply = Status;
};
/// All games, sorted, and the library roots whose games are not among them.
struct GameList : std::vector<GameInfo> {
  std::vector<library::Problem> missing_roots;
};
struct ListGames {
  using Reply = GameList;
};
struct ShowGame {
  using Reply = GameDetails;
  std::string game;
  std::optional<std::string> version;  ///< unique prefix of 8 digits or more
  std::uint64_t offset = 0;
  std::uint64_t limit = 1000;
};
struct ListPeers {
  using Reply = std::vector<PeerInfo>;
};
/// Adds a static peer for this run and dials it; answers when it is connected or the first attempt failed (it stays in
/// the list). A name that cannot be resolved is an error, and is not added.
struct ConnectPeer {
  using Reply = PeerInfo;
  std::string address;  ///< HOST[:PORT]
};
struct Disconnected {
  bool connected = false;  ///< it was, until now
  bool dropped = false;    ///< it was dialled because of a ConnectPeer, and is no longer
  std::string note;        ///< what brings it back; empty: nothing
};
/// Ends the session, and undoes ConnectPeer.
struct DisconnectPeer {
  using Reply = Disconnected;
  std::string peer;  ///< unique id prefix or unique name, or a static peer's HOST[:PORT]
};
/// Begins the download of a game, or attaches to the one under way. The answer's state tells: finished at once if that
/// version is here already.
/// What attaches brings its own wait; the longest holds. It is refused where the download may bring another version
/// than `version`, or cannot take anything from a peer in `from`; else it changes neither.
struct StartDownload {
  using Reply = DownloadInfo;
  std::string game;
  std::optional<std::string> version;
  std::vector<std::string> from;          ///< peers, as in DisconnectPeer
  std::optional<runtime::Duration> wait;  ///< wait this long for a peer that has it
  bool dry_run = false;                   ///< begin nothing: what would it take?
};
struct ListDownloads {
  using Reply = std::vector<DownloadInfo>;
};
/// It keeps its place and what it has received, gives its turn to the next, and stays so over restarts. Answers when
/// it has come to rest.
struct PauseDownload {
  using Reply = DownloadInfo;
  std::string game;
};
/// Lets a paused download go on, and begins one again that failed or lost all its peers: in the same version, on top of
/// what it had received.
struct ResumeDownload {
  using Reply = DownloadInfo;
  std::string game;
};
/// Also one that failed or lost all its peers. Answers when it is over and what it had received is gone.
struct CancelDownload {
  using Reply = bool;
  std::string game;
};
/// Whose turn is next: those that run go on.
struct MoveDownload {
  using Reply = DownloadInfo;
  std::string game;
  std::uint64_t position = 1;  ///< from 1; beyond the end: the last
};
/// Deletes an installed game of the first root, or what a download has received. A download of it that is under way is
/// cancelled. Answers when it is out of the library; the deleting itself may take longer.
struct RemoveGame {
  using Reply = bool;
  std::string game;
};
/// Chunk payload a second; 0: no limit.
struct Limits {
  std::uint64_t up = 0;
  std::uint64_t down = 0;
};
struct GetLimits {
  using Reply = Limits;
};
/// For this run; what is left out stays.
struct SetLimits {
  using Reply = Limits;
  std::optional<std::uint64_t> up;
  std::optional<std::uint64_t> down;
};
/// What can be changed while it runs; the rest of the configuration holds until the next start.
struct Reconfigure {
  using Reply = bool;
  std::optional<std::uint64_t> up;  ///< bytes a second; nothing: as it is
  std::optional<std::uint64_t> down;
  std::size_t parallel = 3;
  std::uint64_t reserve = 0;
  std::vector<std::string> automatic;  ///< globs: games to fetch and keep up to date
  std::vector<std::string> peers;      ///< static ones to add
};
/// By id, over restarts: its session ends, and neither it nor this peer is dealt with any more.
struct BanPeer {
  using Reply = bool;
  std::string peer;  ///< as in DisconnectPeer; one that is not known: its whole id
};
struct UnbanPeer {
  using Reply = bool;
  std::string peer;
};
struct Pairing {
  PeerId id;
  std::string name;
  std::string note;  ///< what else it takes; empty: nothing
};
/// By id, over restarts. In paired mode the peers that both sides have paired are dealt with, and nobody else.
struct PairPeer {
  using Reply = Pairing;
  std::string peer;  ///< as in DisconnectPeer; one that is not listed: its whole id
};
/// In paired mode its session ends, and neither it nor this peer is dealt with any more.
struct UnpairPeer {
  using Reply = Pairing;
  std::string peer;
};
struct Verdict {
  std::string game;
  Digest version;                    ///< that the files were compared with
  std::vector<std::string> damaged;  ///< paths
  std::uint64_t bytes = 0;           ///< read
  bool repaired = false;
};
/// Reads every file of an installed game and compares it with the version's hashes. Answers when that is done, and the
/// repair too if it was asked for.
struct VerifyGame {
  using Reply = Verdict;
  std::string game;
  bool repair = false;     ///< fetch what is damaged
  std::uint64_t rate = 0;  ///< bytes a second that are read at most; 0: as fast as it goes
  /// Requested when nobody waits for the answer any more: the comparison stops. A repair that has begun goes on.
  runtime::CancellationToken abandoned{};
};
/// Answers when every game concerned has its verdict.
struct Rescan {
  using Reply = std::vector<library::Problem>;  ///< library roots that are not there or cannot be read
  std::optional<std::string> game;
  bool publish = false;  ///< that game, as it is now, is a version of its own: also if it was downloaded
};
/// Something that was looked at on the way to "does it work here?".
struct Finding {
  enum class Verdict { good, warning, bad } verdict = Verdict::good;
  std::string subject;  ///< configuration, disk, mDNS, ...
  std::string text;     ///< what was found
  std::string fix;      ///< what to do; empty: nothing
};
std::string_view to_string(Finding::Verdict verdict) noexcept;
/// Looks at everything that has to be right on this machine. Writes and deletes a file of 64 MiB in the first root.
struct Diagnose {
  using Reply = std::vector<Finding>;
};
/// The Prometheus text format.
struct GetMetrics {
  using Reply = std::string;
};
struct TaskInfo {
  std::string name;
  std::string parent;
};
struct ListTasks {
  using Reply = std::vector<TaskInfo>;
};
struct Shutdown {
  using Reply = bool;
};
#if PEERD_TEST_HOOKS
enum class ServiceFault { throws, hangs, ends };
/// Makes a service fail where it stands. One that hangs does nothing any more and ignores its cancellation.
struct FailService {
  using Reply = bool;
  std::string service;  ///< as in ServiceStatus
  ServiceFault how = ServiceFault::throws;
};
#endif

/// A command with the function that takes its answer: called once, on the control loop; `cancelled` if the runtime
/// stops first.
template <class C>
struct Request {
  C command;
  std::function<void(Result<typename C::Reply>)> reply;
};

using Command =
    std::variant<Request<GetStatus>, Request<ListGames>, Request<ShowGame>, Request<ListPeers>, Request<ConnectPeer>,
                 Request<DisconnectPeer>, Request<StartDownload>, Request<ListDownloads>, Request<PauseDownload>,
                 Request<ResumeDownload>, Request<CancelDownload>, Request<MoveDownload>, Request<RemoveGame>,
                 Request<GetLimits>, Request<SetLimits>, Request<Reconfigure>, Request<BanPeer>, Request<UnbanPeer>,
                 Request<PairPeer>, Request<UnpairPeer>, Request<VerifyGame>,
#if PEERD_TEST_HOOKS
                 Request<FailService>,
#endif
                 Request<Rescan>, Request<Diagnose>, Request<GetMetrics>, Request<ListTasks>, Request<Shutdown>>;

}  // namespace peer::api
