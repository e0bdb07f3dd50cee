// NetLoop: the control loop's access to the node's NetLoopState. Each call runs on the net loop and returns when it has
// been carried out there.
//
// Loop: control. Owns: the state, from open() to close(). Cancel: not cancellable, except run().
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "libpeer/api/answers.h"
#include "libpeer/net/address.h"
#include "libpeer/node/net_loop_state.h"
#include "libpeer/runtime/call_on.h"
#include "libpeer/runtime/run_on.h"

namespace peer::node {

class NetLoop {
 public:
  explicit NetLoop(runtime::Scope& net) : net_(net) {}

  /// Makes the state and returns its local address. `make` is called on the net loop. Fails: throws what it throws.
  runtime::Task<net::SocketAddress> open(std::function<std::unique_ptr<NetLoopState>()> make);
  runtime::Task<void> close();

  /// Runs a task of the state on the net loop, as `name`. Cancel: passed on to the task.
  using StateTask = std::function<runtime::Task<void>(NetLoopState&, runtime::CancellationToken)>;
  runtime::Task<void> run(std::string name, StateTask task, runtime::CancellationToken token);

  runtime::Task<void> set_accepting(bool accepting);
  runtime::Task<void> set_limits(api::Limits limits);
  const api::Limits& limits() const noexcept { return limits_; }
  runtime::Task<void> set_banned(std::set<PeerId> peers);
  runtime::Task<void> set_paired(std::set<PeerId> peers);
  /// Sets what the seeder serves.
  runtime::Task<void> set_offer(std::shared_ptr<const library::Snapshot> snapshot, std::uint64_t revision,
                                std::string peer_document);
  runtime::Task<NetStats> stats();

  /// Only for passing pointers to parts that use them on the net loop.
  NetLoopState& state() noexcept { return *state_; }

 private:
  runtime::Scope& net_;
  std::unique_ptr<NetLoopState> state_;
  api::Limits limits_;
};

}  // namespace peer::node
