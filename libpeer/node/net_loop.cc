#include "libpeer/node/net_loop.h"

namespace peer::node {

namespace {
runtime::Task<void> nothing() { co_return; }
runtime::Task<net::SocketAddress> address_of(NetLoopState& state) { co_return state.transport().local_address(); }
runtime::Task<NetStats> stats_of(NetLoopState& state) { co_return state.stats(); }
}  // namespace

runtime::Task<net::SocketAddress> NetLoop::open(std::function<std::unique_ptr<NetLoopState>()> make) {
  auto create = [this, make = std::move(make)](runtime::CancellationToken) {
    state_ = make();
    return address_of(*state_);
  };
  return runtime::call_on(net_, "open endpoint", std::move(create), runtime::CancellationToken());
}

runtime::Task<void> NetLoop::close() {
  auto destroy = [this](runtime::CancellationToken) {
    state_.reset();
    return nothing();
  };
  return runtime::call_on(net_, "close endpoint", std::move(destroy), runtime::CancellationToken());
}

runtime::Task<void> NetLoop::run(std::string name, StateTask task, runtime::CancellationToken token) {
  auto start = [this, task = std::move(task)](runtime::CancellationToken t) { return task(*state_, std::move(t)); };
  return runtime::call_on(net_, std::move(name), std::move(start), std::move(token));
}

template <class F>
runtime::Task<void> NetLoop::change(std::string name, F change, runtime::CancellationToken token) {
  auto call = [this, change = std::move(change)](runtime::CancellationToken) {
    change(*state_);
    return nothing();
  };
  return runtime::call_on(net_, std::move(name), std::move(call), std::move(token));
}

runtime::Task<void> NetLoop::set_accepting(bool accepting, runtime::CancellationToken token) {
  auto set = [accepting](NetLoopState& state) { state.set_accepting(accepting); };
  return change("accepting", std::move(set), std::move(token));
}

runtime::Task<void> NetLoop::set_limits(api::Limits limits) {
  limits_ = limits;
  auto set = [limits](NetLoopState& state) {
    state.up().set(limits.up);
    state.down().set(limits.down);
  };
  return change("limits", std::move(set), runtime::CancellationToken());
}

runtime::Task<void> NetLoop::set_banned(std::set<PeerId> peers, runtime::CancellationToken token) {
  auto set = [peers = std::move(peers)](NetLoopState& state) { state.set_banned(peers); };
  return change("bans", std::move(set), std::move(token));
}

runtime::Task<void> NetLoop::set_paired(std::set<PeerId> peers, runtime::CancellationToken token) {
  auto set = [peers = std::move(peers)](NetLoopState& state) { state.gate().set_paired(peers); };
  return change("pairings", std::move(set), std::move(token));
}

runtime::Task<void> NetLoop::set_offer(std::shared_ptr<const library::Snapshot> snapshot, std::string peer_document,
                                       runtime::CancellationToken token) {
  auto set = [snapshot = std::move(snapshot), document = std::move(peer_document)](NetLoopState& state) {
    state.seeder().set_snapshot(snapshot);
    state.seeder().set_peer_document(document);
  };
  return change("new library", std::move(set), std::move(token));
}

runtime::Task<NetStats> NetLoop::stats(runtime::CancellationToken token) {
  auto read = [this](runtime::CancellationToken) { return stats_of(*state_); };
  return runtime::call_on(net_, "statistics", std::move(read), std::move(token));
}

}  // namespace peer::node
