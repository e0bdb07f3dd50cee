// The inside of a running peer; only runtime*.cc know it. Loop: control.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "peer/downloads.h"
#include "peer/net_side.h"
#include "peer/peers.h"
#include "peer/runtime.h"
#include "runtime/call_on.h"
#include "runtime/sleep.h"
#include "runtime/supervisor.h"

namespace peer::node {

inline constexpr std::size_t kMaxWaitingCommands = 1024;

// The scopes nest, and so does shutdown; each is joined only after all inside it have ended:
//   endpoint ⊃ inbox (sees the goodbyes through) ⊃ services ⊃ work (commands, downloads)
class PeerMain {
 public:
  PeerMain(PeerOptions options, rt::Channel<Command>& commands);

  /// From start to clean end.
  rt::Task<void> run();
  /// Idempotent; does not wait.
  void request_shutdown();
  bool failed() const noexcept { return failed_; }
  rt::Duration shutdown_timeout() const noexcept { return options_.shutdown_timeout; }
  /// Set once the stop has begun.
  rt::Event& stopping() noexcept { return stopping_; }
  /// Names of what still runs; for the deadline's log.
  std::vector<std::string> alive() const;

 private:
  rt::Task<void> repair_library();
  rt::Task<void> create_net_side();
  rt::Task<void> destroy_net_side();
  void create_parts(rt::Scope& work);
  void start_services(rt::Scope& required, rt::Scope& services);
  rt::Task<void> run_endpoint(rt::CancellationToken token);
  rt::Task<void> quic_server(rt::CancellationToken token);
  rt::Task<void> tell_library(rt::CancellationToken token);
  rt::Task<void> say_goodbye();
  rt::Task<void> join_reporting(rt::Scope& scope);
  rt::Service watched(const std::string& name, rt::Service service);
  void service_ended(const rt::ServiceExit& exit);
  void fail_runtime(const std::string& component, const std::string& error);
  void begin_stop();
  void emit(const Event& event);

  rt::Task<void> run_commands(rt::Scope& work, rt::CancellationToken token);
  void dispatch(Command command, rt::Scope& work);
  Status status() const;
  std::vector<GameInfo> games() const;
  rt::Task<void> list_tasks(Request<ListTasks> request, rt::CancellationToken token);
  rt::Task<void> show_game(Request<ShowGame> request, rt::CancellationToken token);
  rt::Task<Result<GameDetails>> find_game(ShowGame command, rt::CancellationToken token);
  rt::Task<void> connect_peer(Request<ConnectPeer> request, rt::CancellationToken token);
  rt::Task<void> rescan(Request<Rescan> request, rt::CancellationToken token);

  PeerOptions options_;
  PeerEnvironment& environment_;
  Log log_;
  rt::Channel<Command>& commands_;
  rt::TimePoint started_;
  rt::CancellationSource endpoint_stop_;
  rt::CancellationSource inbox_stop_;
  rt::CancellationSource services_stop_;
  rt::CancellationSource stop_;      ///< the innermost: requested by shutdown and by a Required failure
  std::unique_ptr<rt::Scope> root_;  ///< gone after run(): the loops' scopes may end before this object
  rt::Event stopping_;
  std::map<std::string, ServiceStatus> services_;
  std::unique_ptr<NetSide> net_side_;  ///< made, used and destroyed on the net loop
  net::Transport* transport_ = nullptr;
  std::unique_ptr<library::Library> library_;
  std::unique_ptr<Peers> peers_;
  std::unique_ptr<Downloads> downloads_;
  rt::Event library_changed_;
  bool offered_changed_ = true;
  std::string listen_;
  bool failed_ = false;
  bool ready_ = false;
};

}  // namespace peer::node
