// The state of a running peer, for the .cc files that implement it and for nobody else. Loop: control.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "libpeer/access/kept_list.h"
#include "libpeer/api/peer.h"
#include "libpeer/downloads/downloads.h"
#include "libpeer/node/counters.h"
#include "libpeer/node/library_news.h"
#include "libpeer/node/net_side.h"
#include "libpeer/runtime/call_on.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/runtime/supervisor.h"
#include "libpeer/sessions/peers.h"
#include "libpeer/staging/verifier.h"

namespace peer::node {

inline constexpr std::size_t kMaxWaitingCommands = 1024;
/// For the net loop to name its tasks when the shutdown's time is over.
inline constexpr rt::Duration kNamingWait = std::chrono::milliseconds(50);

inline Result<bool> acknowledged(const Result<void>& done) {
  if (!done) return std::unexpected(done.error());
  return true;
}

// The scopes nest, and so does shutdown; each is joined only after all inside it have ended:
//   endpoint ⊃ inbox (sees the goodbyes through) ⊃ serving ⊃ services ⊃ work (commands, downloads)
class PeerMain {
 public:
  PeerMain(PeerOptions options, rt::Channel<Command>& commands);

  /// From start to clean end.
  rt::Task<void> run();
  /// Idempotent; does not wait.
  void request_shutdown();
  /// run() threw: a bug or exhaustion. Nothing can be relied on; the shutdown's deadline ends it.
  void crashed(const std::string& error) { fail_runtime("runtime", error); }
  bool failed() const noexcept { return failed_; }
  rt::Duration shutdown_timeout() const noexcept { return options_.shutdown_timeout; }
  /// Set once the stop has begun.
  rt::Event& stopping() noexcept { return stopping_; }
  /// "scope/task" of what still runs, on both loops; for the deadline's log. Takes kNamingWait at most: a net loop that
  /// does not answer is named instead of its tasks.
  rt::Task<std::vector<std::string>> alive() const;

 private:
  // runtime.cc
  rt::Task<void> repair_library();
  rt::Task<void> create_net_side();
  rt::Task<void> destroy_net_side();
  void create_parts(rt::Scope& work);
  void note_games_known();
  rt::Task<void> restore_downloads(rt::CancellationToken token);
  void stop_without_network(const std::string& error);
  rt::Task<void> say_goodbye();
  rt::Task<void> join_reporting(rt::Scope& scope);
  rt::Task<std::vector<std::string>> alive_on_net() const;
  void fail_runtime(const std::string& component, const std::string& error);
  void begin_stop();
  void emit(const Event& event);

  // services.cc
  void start_services(rt::Scope& required, rt::Scope& services);
  rt::Service watched(const std::string& name, rt::Service service);
  void service_ended(const rt::ServiceExit& exit);
  rt::Task<void> run_on_network(std::string name, rt::Service service, rt::CancellationToken token);
  rt::Task<void> run_inbox(rt::CancellationToken token);
  rt::Task<void> quic_server(rt::CancellationToken token);
  rt::Task<void> set_accepting(bool accepting, rt::CancellationToken token);
  rt::Task<void> tell_library(rt::CancellationToken token);
  rt::Task<void> tell_network(std::shared_ptr<const library::Snapshot> snapshot, rt::CancellationToken token);

  // discovery_service.cc
  rt::Task<void> run_discovery(rt::CancellationToken token);
  rt::Task<void> run_mdns(rt::CancellationToken token);
  rt::Task<void> watch_network(rt::CancellationToken token);
  void on_found(discovery::Event event);
  void note_met(const Event& event);
  std::vector<net::InterfaceAddress> used_addresses() const;
  void on_network_changed();

#if PEERD_TEST_HOOKS
  // faults.cc
  struct Fault {
    rt::CancellationSource* stop = nullptr;  ///< of the run under way
    std::optional<ServiceFault> how;
  };
  rt::Task<void> run_failing(std::string name, rt::Service service, rt::CancellationToken token);
  Result<bool> fail_service(const FailService& command);
  std::map<std::string, Fault> faults_;
#endif

  // commands.cc
  template <class C>
  using Task = rt::Task<Result<typename C::Reply>>;
  template <class C>
  using Handler = Task<C> (PeerMain::*)(C command, rt::CancellationToken token);
  rt::Task<void> run_commands(rt::Scope& work, rt::CancellationToken token);
  void refuse_commands();
  void dispatch(Command command, rt::Scope& work);
  rt::Task<void> dispatch_later(Command command, rt::Scope& work);
  void take_on(Command command, rt::Scope& work);
  template <class C, class F>
  void answer_now(Request<C>& request, F work);
  template <class C>
  rt::Task<void> answer(Request<C> request, Handler<C> handler, rt::CancellationToken token);
  template <class C>
  void begin(rt::Scope& work, std::string name, Request<C>& request, Handler<C> handler);
  void take(Request<GetStatus> request, rt::Scope& work);
  void take(Request<ListGames> request, rt::Scope& work);
  void take(Request<ShowGame> request, rt::Scope& work);
  void take(Request<ListPeers> request, rt::Scope& work);
  void take(Request<ConnectPeer> request, rt::Scope& work);
  void take(Request<DisconnectPeer> request, rt::Scope& work);
  void take(Request<StartDownload> request, rt::Scope& work);
  void take(Request<ListDownloads> request, rt::Scope& work);
  void take(Request<PauseDownload> request, rt::Scope& work);
  void take(Request<ResumeDownload> request, rt::Scope& work);
  void take(Request<CancelDownload> request, rt::Scope& work);
  void take(Request<MoveDownload> request, rt::Scope& work);
  void take(Request<RemoveGame> request, rt::Scope& work);
  void take(Request<GetLimits> request, rt::Scope& work);
  void take(Request<SetLimits> request, rt::Scope& work);
  void take(Request<Reconfigure> request, rt::Scope& work);
  void take(Request<BanPeer> request, rt::Scope& work);
  void take(Request<UnbanPeer> request, rt::Scope& work);
  void take(Request<PairPeer> request, rt::Scope& work);
  void take(Request<UnpairPeer> request, rt::Scope& work);
  void take(Request<VerifyGame> request, rt::Scope& work);
  void take(Request<Rescan> request, rt::Scope& work);
  void take(Request<Diagnose> request, rt::Scope& work);
  void take(Request<GetMetrics> request, rt::Scope& work);
  void take(Request<ListTasks> request, rt::Scope& work);
  void take(Request<Shutdown> request, rt::Scope& work);
#if PEERD_TEST_HOOKS
  void take(Request<FailService> request, rt::Scope& work);
#endif
  bool is_listening() const { return !options_.can_listen || options_.can_listen(); }
  std::string missing_address() const;
  Status status() const;
  std::vector<GameInfo> games() const;
  static rt::Task<std::vector<TaskInfo>> tasks_below(const rt::Scope& scope);
  Task<ListTasks> list_tasks(ListTasks command, rt::CancellationToken token);
  Task<ShowGame> find_game(ShowGame command, rt::CancellationToken token);
  Task<ConnectPeer> connect_peer(ConnectPeer command, rt::CancellationToken token);
  Task<Rescan> rescan(Rescan command, rt::CancellationToken token);
  // game_commands.cc
  Task<StartDownload> start_download(StartDownload command, rt::CancellationToken token);
  Task<StartDownload> plan_download(StartDownload command, rt::CancellationToken token);
  Task<PauseDownload> pause_download(PauseDownload command, rt::CancellationToken token);
  Task<ResumeDownload> resume_download(ResumeDownload command, rt::CancellationToken token);
  Task<CancelDownload> cancel_download(CancelDownload command, rt::CancellationToken token);
  Task<MoveDownload> move_download(MoveDownload command, rt::CancellationToken token);
  Task<RemoveGame> remove_game(RemoveGame command, rt::CancellationToken token);
  rt::Task<void> apply_limits(Limits limits);
  Task<Reconfigure> reconfigure(Reconfigure command, rt::CancellationToken token);
  Task<SetLimits> set_limits(SetLimits command, rt::CancellationToken token);
  // verify.cc
  struct Damage {
    Digest version;  ///< that is to be there
    std::shared_ptr<const protocol::ManifestDocument> document;
    std::vector<std::string> paths;
  };
  std::shared_ptr<const library::LocalGame> with_damage(std::shared_ptr<const library::LocalGame> local) const;
  static std::vector<std::string> unexpected(const library::LocalGame& local, const Damage& damage,
                                             const std::vector<std::string>& paths);
  Task<VerifyGame> verify_game(VerifyGame command, rt::CancellationToken token);
  rt::Task<Result<void>> compare_files(transfer::Verifier& verifier, std::string game, Digest version,
                                       std::uint64_t rate, rt::CancellationToken token);
  void tell_verify(const std::string& game, const Digest& version);
  // doctor.cc
  Task<Diagnose> diagnose(Diagnose command, rt::CancellationToken token);
  rt::Task<std::vector<Finding>> judge_access(rt::CancellationToken token);
  rt::Task<std::vector<Finding>> judge_disk(rt::CancellationToken token);
  std::vector<Finding> judge_discovery() const;
  std::vector<Finding> judge_peers() const;
  // metrics.cc
  rt::Task<NetStats> net_stats(rt::CancellationToken token);
  Task<GetMetrics> measure(GetMetrics command, rt::CancellationToken token);
  // bans.cc
  Task<BanPeer> ban_peer(BanPeer command, rt::CancellationToken token);
  Task<UnbanPeer> unban_peer(UnbanPeer command, rt::CancellationToken token);
  rt::Task<void> load_bans();
  rt::Task<void> keep_bans(rt::CancellationToken token);
  rt::Task<Result<void>> apply_bans(rt::CancellationToken token);
  // pairings.cc
  Task<PairPeer> pair_peer(PairPeer command, rt::CancellationToken token);
  Task<UnpairPeer> unpair_peer(UnpairPeer command, rt::CancellationToken token);
  rt::Task<void> load_pairings();
  rt::Task<void> keep_pairings(rt::CancellationToken token);
  rt::Task<Result<void>> apply_pairings(rt::CancellationToken token);

  PeerOptions options_;
  PeerEnvironment& environment_;
  Log log_;
  rt::Channel<Command>& commands_;
  rt::TimePoint started_;
  rt::CancellationSource endpoint_stop_;
  rt::CancellationSource inbox_stop_;
  rt::CancellationSource serving_stop_;
  rt::CancellationSource services_stop_;
  rt::CancellationSource stop_;      ///< the innermost: requested by shutdown and by a Required failure
  std::unique_ptr<rt::Scope> root_;  ///< gone after run(): the loops' scopes may end before this object
  rt::Event stopping_;
  rt::Event work_over_;
  rt::Event network_over_;  ///< endpoint or serving ended by themselves
  std::string network_error_;
  std::map<std::string, ServiceStatus> services_;
  std::unique_ptr<NetSide> net_side_;  ///< made, used and destroyed on the net loop
  net::Transport* transport_ = nullptr;
  std::unique_ptr<library::Library> library_;
  std::unique_ptr<Peers> peers_;
  std::unique_ptr<Downloads> downloads_;
  rt::Event library_changed_;
  bool downloads_restored_ = false;
  rt::Event games_known_;  ///< the library has been listed, and the last run's downloads are in the queue
  bool offered_changed_ = true;
  LibraryNews library_news_;
  Digest told_digest_ = protocol::library_digest({});  ///< of the offer that LocalLibraryChanged told of last
  std::string listen_;
  bool listening_ = true;                              ///< as it was told last
  std::vector<net::InterfaceAddress> used_addresses_;  ///< as they were when the network was looked at last
  Limits limits_;
  Counters counters_;
  std::map<std::string, Damage> damaged_;  ///< games that verify found damaged, until they are repaired
  std::map<std::string, VerifyProgress> verifying_;
  rt::Event bans_changed_;
  rt::Event pairings_changed_;
  KeptList<Ban> kept_bans_;
  KeptList<std::string> kept_pairings_;  ///< with the name
  bool failed_ = false;
};

}  // namespace peer::node
