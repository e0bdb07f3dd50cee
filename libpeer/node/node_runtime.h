// NodeRuntime: a node from start to clean end: its scopes, their order, and the shutdown.
//
// The scopes nest, and so does the shutdown; each is joined only after all inside it have ended:
//   endpoint ⊃ inbox (receives the goodbyes) ⊃ serving ⊃ services ⊃ work (commands, downloads)
// Loop: control.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libpeer/api/peer_options.h"
#include "libpeer/node/command_router.h"
#include "libpeer/node/event_emitter.h"
#include "libpeer/node/listener.h"
#include "libpeer/node/net_loop.h"
#include "libpeer/node/node_parts.h"
#include "libpeer/runtime/event.h"

namespace peer::node {

/// Limits: commands that may wait to be handled.
inline constexpr std::size_t kMaxWaitingCommands = 1024;

/// One cancellation for each level of the shutdown: requesting one also requests those inside it.
struct StopLevels {
  runtime::CancellationSource endpoint;
  runtime::CancellationSource inbox{endpoint.token()};
  runtime::CancellationSource serving{inbox.token()};
  runtime::CancellationSource services{serving.token()};
  runtime::CancellationSource work{services.token()};
};

class NodeRuntime {
 public:
  NodeRuntime(api::PeerOptions options, CommandRouter::Commands& commands);

  /// Runs the node until its shutdown is complete. Call it once.
  runtime::Task<void> run();
  /// Begins the shutdown and returns. Calling it again does nothing.
  void request_shutdown();
  /// run() threw: a bug or exhaustion. No state can be relied on; the shutdown deadline ends the node.
  void on_crash(const std::string& error) { fail("runtime", error); }
  bool failed() const noexcept { return failed_; }
  runtime::Duration shutdown_timeout() const noexcept { return options_.settings.shutdown_timeout; }
  /// Set when the shutdown has begun.
  runtime::Event& stopping() noexcept { return stopping_; }
  /// "scope/task" of the tasks that still run at the shutdown deadline.
  runtime::Task<std::vector<std::string>> overrunning() const;

 private:
  struct Scopes;
  runtime::Task<void> recover_publications();
  runtime::Task<void> open_network();
  std::unique_ptr<NetLoopState> make_net_state();
  runtime::Task<void> run_parts();
  /// Fails: throws; tasks may already run then.
  runtime::Task<void> start_parts(Scopes& scopes, std::optional<CommandRouter>& router);
  void start_tasks(Scopes& scopes);
  runtime::Task<void> stop_tasks(Scopes& scopes);
  void stop_without_network(const std::string& error);
  runtime::Task<void> run_inbox(runtime::CancellationToken token);
  runtime::Task<void> restore_downloads(runtime::CancellationToken token);
  runtime::Task<void> say_goodbye();
  runtime::Task<void> join_logging(runtime::Scope& scope);
  void fail(const std::string& component, const std::string& error);
  void begin_stop();

  api::PeerOptions options_;
  CommandRouter::Commands& commands_;
  Log log_;
  const runtime::TimePoint started_;
  StopLevels stop_;
  std::unique_ptr<runtime::Scope> root_;  ///< null after run(): the loops' scopes may end before this object
  Listener listener_;
  NetLoop net_;
  EventEmitter events_;
  std::unique_ptr<NodeParts> parts_;  ///< null before the network is open, and after all tasks have ended
  runtime::Event stopping_;
  runtime::Event work_ended_;
  bool failed_ = false;
};

}  // namespace peer::node
