// Commands: everything that a running peer can be asked to do, with the answer that each gives.
//
// A command is a struct. These members describe it; only Reply is required:
//   Reply           the type of its answer
//   kMethod         the control socket's method for it; a command without one is used within the process only
//   kRepeatable     it changes nothing, so a client whose connection broke may send it again
//   kTask           the name of the task that runs it, in ListTasks; a command without one is answered at once
//   kAwaitsLibrary  it waits until the library has been listed for the first time
//
//   sender.send(api::ShowGame{.game = "quake3"}, [](Result<api::GameDetails> answer) { ... });
//
// Fails: the handler of each command lists its errors; every command fails with `cancelled` while the peer stops.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "libpeer/api/answers.h"
#include "libpeer/runtime/cancellation.h"
#include "libpeer/runtime/executor.h"

namespace peer::api {

struct GetStatus {
  using Reply = Status;
  static constexpr std::string_view kMethod = "status";
  static constexpr bool kRepeatable = true;
};

struct ListGames {
  using Reply = GameList;
  static constexpr std::string_view kMethod = "games.list";
  static constexpr bool kRepeatable = true;
  static constexpr bool kAwaitsLibrary = true;
};

/// Lists the files of the requested version, else of the installed one, else of the version that a download would
/// choose. The file list of a version that is not installed comes from a peer.
struct ShowGame {
  using Reply = GameDetails;
  static constexpr std::string_view kMethod = "games.show";
  static constexpr bool kRepeatable = true;
  static constexpr bool kAwaitsLibrary = true;
  static constexpr std::string_view kTask = "show";
  std::string game;
  std::optional<std::string> version;  ///< a unique prefix of at least 8 digits
  std::uint64_t offset = 0;
  std::uint64_t limit = 1000;
};

/// Deletes an installed game of the first library root, or the bytes that a download of it has received. Cancels a
/// download of the game. Answers when the library no longer lists the game; deleting its files may take longer.
struct RemoveGame {
  using Reply = bool;
  static constexpr std::string_view kMethod = "games.remove";
  static constexpr bool kRepeatable = false;
  static constexpr bool kAwaitsLibrary = true;
  static constexpr std::string_view kTask = "remove";
  std::string game;
};

struct ListPeers {
  using Reply = std::vector<PeerInfo>;
  static constexpr std::string_view kMethod = "peers.list";
  static constexpr bool kRepeatable = true;
};

/// Adds a static peer until the next restart and dials it. Answers when the peer is connected or the first attempt has
/// failed; in both cases the peer stays in the list. A name that cannot be resolved is an error and is not added.
struct ConnectPeer {
  using Reply = PeerInfo;
  static constexpr std::string_view kMethod = "peers.connect";
  static constexpr bool kRepeatable = false;
  static constexpr std::string_view kTask = "connect";
  std::string address;  ///< HOST[:PORT]
};

/// Ends the session with a peer and undoes ConnectPeer.
struct DisconnectPeer {
  using Reply = Disconnected;
  static constexpr std::string_view kMethod = "peers.disconnect";
  static constexpr bool kRepeatable = false;
  std::string peer;  ///< a unique id prefix, a unique name, or the HOST[:PORT] of a static peer
};

/// Bans a peer by its id, also after a restart: ends its session and refuses every request from it.
struct BanPeer {
  using Reply = bool;
  static constexpr std::string_view kMethod = "peers.ban";
  static constexpr bool kRepeatable = false;
  static constexpr std::string_view kTask = "ban";
  std::string peer;  ///< as in DisconnectPeer; a peer that is not listed needs its whole id
};

struct UnbanPeer {
  using Reply = bool;
  static constexpr std::string_view kMethod = "peers.unban";
  static constexpr bool kRepeatable = false;
  static constexpr std::string_view kTask = "unban";
  std::string peer;
};

/// Pairs a peer by its id, also after a restart. In paired mode a peer accepts only peers that both sides have paired.
struct PairPeer {
  using Reply = Pairing;
  static constexpr std::string_view kMethod = "peers.pair";
  static constexpr bool kRepeatable = false;
  static constexpr std::string_view kTask = "pair";
  std::string peer;  ///< as in DisconnectPeer; a peer that is not listed needs its whole id
};

/// Removes a pairing. In paired mode this ends the session with that peer and refuses it from then on.
struct UnpairPeer {
  using Reply = Pairing;
  static constexpr std::string_view kMethod = "peers.unpair";
  static constexpr bool kRepeatable = false;
  static constexpr std::string_view kTask = "unpair";
  std::string peer;
};

/// Begins the download of a game, or attaches to the one that is active. The answer's state is `finished` if that
/// version is installed already.
///
/// A command that attaches has its own wait, and the longest wait applies. It changes neither the version nor the
/// sources of the active download. It is refused if that download may fetch another version than `version`, or must not
/// fetch from a peer in `from`.
struct StartDownload {
  using Reply = DownloadInfo;
  static constexpr std::string_view kMethod = "downloads.start";
  static constexpr bool kRepeatable = false;
  static constexpr bool kAwaitsLibrary = true;
  static constexpr std::string_view kTask = "begin";
  std::string game;
  std::optional<std::string> version;
  std::vector<std::string> from;          ///< peers, as in DisconnectPeer
  std::optional<runtime::Duration> wait;  ///< how long to wait for a peer that has the game
  bool dry_run = false;                   ///< start nothing; answer with an estimate of the download
};

struct ListDownloads {
  using Reply = std::vector<DownloadInfo>;
  static constexpr std::string_view kMethod = "downloads.list";
  static constexpr bool kRepeatable = true;
  static constexpr bool kAwaitsLibrary = true;
};

/// Pauses a download, also after a restart. It keeps its place in the queue and the bytes it has received, and the next
/// download starts. Answers when the download has stopped.
struct PauseDownload {
  using Reply = DownloadInfo;
  static constexpr std::string_view kMethod = "downloads.pause";
  static constexpr bool kRepeatable = false;
  static constexpr bool kAwaitsLibrary = true;
  static constexpr std::string_view kTask = "pause";
  std::string game;
};

/// Resumes a paused download, or restarts one that failed or lost all its peers: in the same version, and with the
/// bytes that it has received.
struct ResumeDownload {
  using Reply = DownloadInfo;
  static constexpr std::string_view kMethod = "downloads.resume";
  static constexpr bool kRepeatable = false;
  static constexpr bool kAwaitsLibrary = true;
  static constexpr std::string_view kTask = "resume";
  std::string game;
};

/// Moves a download within the queue; running downloads continue.
struct MoveDownload {
  using Reply = DownloadInfo;
  static constexpr std::string_view kMethod = "downloads.move";
  static constexpr bool kRepeatable = false;
  static constexpr bool kAwaitsLibrary = true;
  static constexpr std::string_view kTask = "move";
  std::string game;
  std::uint64_t position = 1;  ///< from 1; a position past the end means the last
};

/// Cancels a download, also one that failed or lost all its peers. Answers when the download has ended and the bytes
/// that it has received are deleted.
struct CancelDownload {
  using Reply = bool;
  static constexpr std::string_view kMethod = "downloads.cancel";
  static constexpr bool kRepeatable = false;
  static constexpr bool kAwaitsLibrary = true;
  static constexpr std::string_view kTask = "cancel";
  std::string game;
};

/// Reads every file of an installed game and compares it with the version's hashes. Answers when the comparison, and
/// the repair if requested, is complete.
struct VerifyGame {
  using Reply = Verdict;
  static constexpr std::string_view kMethod = "library.verify";
  static constexpr bool kRepeatable = false;
  static constexpr bool kAwaitsLibrary = true;
  static constexpr std::string_view kTask = "verify";
  std::string game;
  bool repair = false;     ///< fetch the damaged files
  std::uint64_t rate = 0;  ///< most bytes to read per second; 0: no limit
  /// Requested when the client has disconnected: the comparison stops. A repair that has begun continues.
  runtime::CancellationToken abandoned{};
};

/// Scans one game, or all. Answers when every scanned game is hashed or found unshareable. The answer lists the library
/// roots that do not exist or cannot be read.
struct Rescan {
  using Reply = std::vector<library::Problem>;
  static constexpr std::string_view kMethod = "library.rescan";
  static constexpr bool kRepeatable = false;
  static constexpr std::string_view kTask = "rescan";
  std::optional<std::string> game;
  bool publish = false;  ///< offer the game's present files as a new version, even if it was downloaded
};

struct GetLimits {
  using Reply = Limits;
  static constexpr std::string_view kMethod = "limits.get";
  static constexpr bool kRepeatable = true;
};

/// Sets limits until the next restart; an omitted limit stays as it is.
struct SetLimits {
  using Reply = Limits;
  static constexpr std::string_view kMethod = "limits.set";
  static constexpr bool kRepeatable = false;
  static constexpr std::string_view kTask = "limits";
  std::optional<std::uint64_t> up;
  std::optional<std::uint64_t> down;
};

/// Applies the settings that can change while a peer runs; the rest of the configuration needs a restart.
struct Reconfigure {
  using Reply = bool;
  static constexpr std::string_view kTask = "configuration";
  std::optional<std::uint64_t> up;  ///< bytes per second; none: unchanged
  std::optional<std::uint64_t> down;
  std::size_t parallel = 3;
  std::uint64_t reserve = 0;
  std::vector<std::string> automatic;  ///< globs: games to fetch and keep up to date
  std::vector<std::string> peers;      ///< static peers to add
};

/// Checks everything that must be right on this machine. Writes and deletes a file of 64 MiB in the first library root.
struct Diagnose {
  using Reply = std::vector<Finding>;
  static constexpr std::string_view kMethod = "doctor";
  static constexpr bool kRepeatable = false;
  static constexpr std::string_view kTask = "doctor";
};

/// Answers with metrics in the Prometheus text format.
struct GetMetrics {
  using Reply = std::string;
  static constexpr std::string_view kMethod = "metrics";
  static constexpr bool kRepeatable = true;
  static constexpr std::string_view kTask = "metrics";
};

struct ListTasks {
  using Reply = std::vector<TaskInfo>;
  static constexpr std::string_view kMethod = "runtime.tasks";
  static constexpr bool kRepeatable = true;
  static constexpr std::string_view kTask = "list tasks";
};

struct Shutdown {
  using Reply = bool;
  static constexpr std::string_view kMethod = "runtime.shutdown";
  static constexpr bool kRepeatable = false;
};

enum class ServiceFault { throws, hangs, ends };
/// Makes a service fail, through PeerEnvironment::test_hooks. A service that hangs ignores its cancellation. Fails:
/// invalid without test hooks.
struct FailService {
  using Reply = bool;
  static constexpr std::string_view kMethod = "debug.fail";
  static constexpr bool kRepeatable = false;
  std::string service;  ///< as in ServiceStatus
  ServiceFault how = ServiceFault::throws;
};

/// A command with the function that receives its answer: called once, on the control loop; with `cancelled` if the peer
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
                 Request<PairPeer>, Request<UnpairPeer>, Request<VerifyGame>, Request<Rescan>, Request<Diagnose>,
                 Request<GetMetrics>, Request<ListTasks>, Request<Shutdown>, Request<FailService>>;

}  // namespace peer::api
