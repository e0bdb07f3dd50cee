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
inline constexpr runtime::Duration kNamingWait = std::chrono::milliseconds(50);

inline Result<bool> acknowledged(const Result<void>& done) {
  if (!done) return std::unexpected(done.error());
  return true;
}

// The scopes nest, and so does shutdown; each is joined only after all inside it have ended:
//   endpoint ⊃ inbox (sees the goodbyes through) ⊃ serving ⊃ services ⊃ work (commands, downloads)
class PeerMain {
 public:
  PeerMain(api::PeerOptions options, runtime::Channel<api::Command>& commands);

  /// From start to clean end.
  runtime::Task<void> run();
  /// Idempotent; does not wait.
  void request_shutdown();
  /// run() threw: a bug or exhaustion. Nothing can be relied on; the shutdown's deadline ends it.
  void crashed(const std::string& error) { fail_runtime("runtime", error); }
  bool failed() const noexcept { return failed_; }
  runtime::Duration shutdown_timeout() const noexcept { return options_.settings.shutdown_timeout; }
  /// Set once the stop has begun.
  runtime::Event& stopping() noexcept { return stopping_; }
  /// "scope/task" of what still runs, on both loops; for the deadline's log. Takes kNamingWait at most: a net loop that
  /// does not answer is named instead of its tasks.
  runtime::Task<std::vector<std::string>> alive() const;

 private:
  // runtime.cc
  runtime::Task<void> repair_library();
  runtime::Task<void> create_net_side();
  runtime::Task<void> destroy_net_side();
  void create_parts(runtime::Scope& work);
  void note_games_known();
  runtime::Task<void> restore_downloads(runtime::CancellationToken token);
  void stop_without_network(const std::string& error);
  runtime::Task<void> say_goodbye();
  runtime::Task<void> join_reporting(runtime::Scope& scope);
  runtime::Task<std::vector<std::string>> alive_on_net() const;
  void fail_runtime(const std::string& component, const std::string& error);
  void begin_stop();
  void emit(const api::Event& event);

  // services.cc
  void start_services(runtime::Scope& required, runtime::Scope& services);
  runtime::Service watched(const std::string& name, runtime::Service service);
  void service_ended(const runtime::ServiceExit& exit);
  runtime::Task<void> run_on_network(std::string name, runtime::Service service, runtime::CancellationToken token);
  runtime::Task<void> run_inbox(runtime::CancellationToken token);
  runtime::Task<void> quic_server(runtime::CancellationToken token);
  runtime::Task<void> set_accepting(bool accepting, runtime::CancellationToken token);
  runtime::Task<void> tell_library(runtime::CancellationToken token);
  runtime::Task<void> tell_network(std::shared_ptr<const library::Snapshot> snapshot, runtime::CancellationToken token);

  // discovery_service.cc
  runtime::Task<void> run_discovery(runtime::CancellationToken token);
  runtime::Task<void> run_mdns(runtime::CancellationToken token);
  runtime::Task<void> watch_network(runtime::CancellationToken token);
  void on_found(discovery::Event event);
  void note_met(const api::Event& event);
  std::vector<net::InterfaceAddress> used_addresses() const;
  void on_network_changed();

  // commands.cc
  template <class C>
  using Task = runtime::Task<Result<typename C::Reply>>;
  template <class C>
  using Handler = Task<C> (PeerMain::*)(C command, runtime::CancellationToken token);
  runtime::Task<void> run_commands(runtime::Scope& work, runtime::CancellationToken token);
  void refuse_commands();
  void dispatch(api::Command command, runtime::Scope& work);
  runtime::Task<void> dispatch_later(api::Command command, runtime::Scope& work);
  void take_on(api::Command command, runtime::Scope& work);
  template <class C, class F>
  void answer_now(api::Request<C>& request, F work);
  template <class C>
  runtime::Task<void> answer(api::Request<C> request, Handler<C> handler, runtime::CancellationToken token);
  template <class C>
  void begin(runtime::Scope& work, std::string name, api::Request<C>& request, Handler<C> handler);
  void take(api::Request<api::GetStatus> request, runtime::Scope& work);
  void take(api::Request<api::ListGames> request, runtime::Scope& work);
  void take(api::Request<api::ShowGame> request, runtime::Scope& work);
  void take(api::Request<api::ListPeers> request, runtime::Scope& work);
  void take(api::Request<api::ConnectPeer> request, runtime::Scope& work);
  void take(api::Request<api::DisconnectPeer> request, runtime::Scope& work);
  void take(api::Request<api::StartDownload> request, runtime::Scope& work);
  void take(api::Request<api::ListDownloads> request, runtime::Scope& work);
  void take(api::Request<api::PauseDownload> request, runtime::Scope& work);
  void take(api::Request<api::ResumeDownload> request, runtime::Scope& work);
  void take(api::Request<api::CancelDownload> request, runtime::Scope& work);
  void take(api::Request<api::MoveDownload> request, runtime::Scope& work);
  void take(api::Request<api::RemoveGame> request, runtime::Scope& work);
  void take(api::Request<api::GetLimits> request, runtime::Scope& work);
  void take(api::Request<api::SetLimits> request, runtime::Scope& work);
  void take(api::Request<api::Reconfigure> request, runtime::Scope& work);
  void take(api::Request<api::BanPeer> request, runtime::Scope& work);
  void take(api::Request<api::UnbanPeer> request, runtime::Scope& work);
  void take(api::Request<api::PairPeer> request, runtime::Scope& work);
  void take(api::Request<api::UnpairPeer> request, runtime::Scope& work);
  void take(api::Request<api::VerifyGame> request, runtime::Scope& work);
  void take(api::Request<api::Rescan> request, runtime::Scope& work);
  void take(api::Request<api::Diagnose> request, runtime::Scope& work);
  void take(api::Request<api::GetMetrics> request, runtime::Scope& work);
  void take(api::Request<api::ListTasks> request, runtime::Scope& work);
  void take(api::Request<api::Shutdown> request, runtime::Scope& work);
  void take(api::Request<api::FailService> request, runtime::Scope& work);
  bool is_listening() const { return !options_.network.can_listen || options_.network.can_listen(); }
  std::string missing_address() const;
  api::Status status() const;
  std::vector<api::GameInfo> games() const;
  static runtime::Task<std::vector<api::TaskInfo>> tasks_below(const runtime::Scope& scope);
  Task<api::ListTasks> list_tasks(api::ListTasks command, runtime::CancellationToken token);
  Task<api::ShowGame> find_game(api::ShowGame command, runtime::CancellationToken token);
  Task<api::ConnectPeer> connect_peer(api::ConnectPeer command, runtime::CancellationToken token);
  Task<api::Rescan> rescan(api::Rescan command, runtime::CancellationToken token);
  // game_commands.cc
  Task<api::StartDownload> start_download(api::StartDownload command, runtime::CancellationToken token);
  Task<api::StartDownload> plan_download(api::StartDownload command, runtime::CancellationToken token);
  Task<api::PauseDownload> pause_download(api::PauseDownload command, runtime::CancellationToken token);
  Task<api::ResumeDownload> resume_download(api::ResumeDownload command, runtime::CancellationToken token);
  Task<api::CancelDownload> cancel_download(api::CancelDownload command, runtime::CancellationToken token);
  Task<api::MoveDownload> move_download(api::MoveDownload command, runtime::CancellationToken token);
  Task<api::RemoveGame> remove_game(api::RemoveGame command, runtime::CancellationToken token);
  runtime::Task<void> apply_limits(api::Limits limits);
  Task<api::Reconfigure> reconfigure(api::Reconfigure command, runtime::CancellationToken token);
  Task<api::SetLimits> set_limits(api::SetLimits command, runtime::CancellationToken token);
  // verify.cc
  struct Damage {
    Digest version;  ///< that is to be there
    std::shared_ptr<const protocol::ManifestDocument> document;
    std::vector<std::string> paths;
  };
  std::shared_ptr<const library::LocalGame> with_damage(std::shared_ptr<const library::LocalGame> local) const;
  static std::vector<std::string> unexpected(const library::LocalGame& local, const Damage& damage,
                                             const std::vector<std::string>& paths);
  Task<api::VerifyGame> verify_game(api::VerifyGame command, runtime::CancellationToken token);
  runtime::Task<Result<void>> compare_files(staging::Verifier& verifier, std::string game, Digest version,
                                            std::uint64_t rate, runtime::CancellationToken token);
  void tell_verify(const std::string& game, const Digest& version);
  // doctor.cc
  Task<api::Diagnose> diagnose(api::Diagnose command, runtime::CancellationToken token);
  runtime::Task<std::vector<api::Finding>> judge_access(runtime::CancellationToken token);
  runtime::Task<std::vector<api::Finding>> judge_disk(runtime::CancellationToken token);
  std::vector<api::Finding> judge_discovery() const;
  std::vector<api::Finding> judge_peers() const;
  // metrics.cc
  runtime::Task<NetStats> net_stats(runtime::CancellationToken token);
  Task<api::GetMetrics> measure(api::GetMetrics command, runtime::CancellationToken token);
  // bans.cc
  Task<api::BanPeer> ban_peer(api::BanPeer command, runtime::CancellationToken token);
  Task<api::UnbanPeer> unban_peer(api::UnbanPeer command, runtime::CancellationToken token);
  runtime::Task<void> load_bans();
  runtime::Task<void> keep_bans(runtime::CancellationToken token);
  runtime::Task<Result<void>> apply_bans(runtime::CancellationToken token);
  // pairings.cc
  Task<api::PairPeer> pair_peer(api::PairPeer command, runtime::CancellationToken token);
  Task<api::UnpairPeer> unpair_peer(api::UnpairPeer command, runtime::CancellationToken token);
  runtime::Task<void> load_pairings();
  runtime::Task<void> keep_pairings(runtime::CancellationToken token);
  runtime::Task<Result<void>> apply_pairings(runtime::CancellationToken token);

  api::PeerOptions options_;
  api::PeerEnvironment& environment_;
  Log log_;
  runtime::Channel<api::Command>& commands_;
  runtime::TimePoint started_;
  runtime::CancellationSource endpoint_stop_;
  runtime::CancellationSource inbox_stop_;
  runtime::CancellationSource serving_stop_;
  runtime::CancellationSource services_stop_;
  runtime::CancellationSource stop_;      ///< the innermost: requested by shutdown and by a Required failure
  std::unique_ptr<runtime::Scope> root_;  ///< gone after run(): the loops' scopes may end before this object
  runtime::Event stopping_;
  runtime::Event work_over_;
  runtime::Event network_over_;  ///< endpoint or serving ended by themselves
  std::string network_error_;
  std::map<std::string, api::ServiceStatus> services_;
  std::unique_ptr<NetSide> net_side_;  ///< made, used and destroyed on the net loop
  net::Transport* transport_ = nullptr;
  std::unique_ptr<library::Library> library_;
  std::unique_ptr<sessions::Peers> peers_;
  std::unique_ptr<downloads::Downloads> downloads_;
  runtime::Event library_changed_;
  bool downloads_restored_ = false;
  runtime::Event games_known_;  ///< the library has been listed, and the last run's downloads are in the queue
  bool offered_changed_ = true;
  LibraryNews library_news_;
  Digest told_digest_ = protocol::library_digest({});  ///< of the offer that LocalLibraryChanged told of last
  std::string listen_;
  bool listening_ = true;                              ///< as it was told last
  std::vector<net::InterfaceAddress> used_addresses_;  ///< as they were when the network was looked at last
  api::Limits limits_;
  Counters counters_;
  std::map<std::string, Damage> damaged_;  ///< games that verify found damaged, until they are repaired
  std::map<std::string, api::VerifyProgress> verifying_;
  runtime::Event bans_changed_;
  runtime::Event pairings_changed_;
  access::KeptList<sessions::Ban> kept_bans_;
  access::KeptList<std::string> kept_pairings_;  ///< with the name
  bool failed_ = false;
};

}  // namespace peer::node
