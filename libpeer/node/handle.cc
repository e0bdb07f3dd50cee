// start_peer(), and the handle and senders that reach the running NodeRuntime.
#include <utility>

#include "libpeer/api/peer.h"
#include "libpeer/node/node_runtime.h"

namespace peer::api {

struct PeerRuntimeHandle::State {
  State(PeerOptions options, runtime::Executor& control_loop)
      : control(control_loop), commands(control_loop, node::kMaxWaitingCommands), node(std::move(options), commands) {}
  runtime::Executor& control;
  runtime::Channel<Command> commands;
  node::NodeRuntime node;
  runtime::Event stopped;
};

/// Every handle and sender shares it. When the last one is destroyed, the command channel closes.
struct CommandSender::Lease {
  explicit Lease(runtime::Channel<Command>::Sender c) : channel(std::move(c)) {}
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() { channel.close(); }
  runtime::Channel<Command>::Sender channel;
};

namespace {
/// Keeps the state alive while the node runs.
runtime::Task<void> run_to_end(std::shared_ptr<PeerRuntimeHandle::State> state) {
  try {
    co_await state->node.run();
    state->stopped.set();
  } catch (const std::exception& e) {
    state->node.on_crash(e.what());
  }
}

runtime::Task<RuntimeExit> wait_for_end(std::shared_ptr<PeerRuntimeHandle::State> state,
                                        runtime::CancellationToken token) {
  co_await state->node.stopping().wait(token);
  const bool in_time = co_await state->stopped.wait_for(state->control, state->node.shutdown_timeout(), token);
  RuntimeExit exit;
  exit.failed = state->node.failed();
  if (!in_time) exit.overran = co_await state->node.overrunning();
  co_return exit;
}
}  // namespace

PeerRuntimeHandle::PeerRuntimeHandle(std::shared_ptr<State> state)
    : state_(std::move(state)), lease_(std::make_shared<CommandSender::Lease>(state_->commands.sender())) {}

runtime::Channel<Command>::Sender PeerRuntimeHandle::channel() const { return state_->commands.sender(); }

void PeerRuntimeHandle::shutdown() const {
  state_->control.post([state = state_] { state->node.request_shutdown(); });
}

runtime::Task<RuntimeExit> PeerRuntimeHandle::wait_stopped(runtime::CancellationToken token) const {
  return wait_for_end(state_, std::move(token));
}

PeerRuntimeHandle start_peer(PeerOptions options) {
  runtime::Scope& control = *options.environment.control;
  auto state = std::make_shared<PeerRuntimeHandle::State>(std::move(options), control.executor());
  PeerRuntimeHandle handle(state);
  control.spawn("peer", run_to_end(std::move(state)));
  return handle;
}

}  // namespace peer::api
