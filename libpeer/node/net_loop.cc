#include "libpeer/node/net_loop.h"

namespace peer::node {

runtime::Task<net::SocketAddress> NetLoop::open(std::function<std::unique_ptr<NetLoopState>()> make) {
  auto create = [this, make = std::move(make)] {
    state_ = make();
    return state_->transport().local_address();
  };
  return runtime::run_on(net_.executor(), std::move(create));
}

runtime::Task<void> NetLoop::close() {
  auto destroy = [this] { state_.reset(); };
  return runtime::run_on(net_.executor(), std::move(destroy));
}

runtime::Task<void> NetLoop::run(std::string name, StateTask task, runtime::CancellationToken token) {
  auto start = [this, task = std::move(task)](runtime::CancellationToken t) { return task(*state_, std::move(t)); };
  return runtime::call_on(net_, std::move(name), std::move(start), std::move(token));
}

runtime::Task<void> NetLoop::set_accepting(bool accepting) {
  auto set = [this, accepting] { state_->set_accepting(accepting); };
  return runtime::run_on(net_.executor(), std::move(set));
}

runtime::Task<void> NetLoop::set_limits(api::Limits limits) {
  limits_ = limits;
  auto set = [this, limits] {
    state_->up().set(limits.up);
    state_->down().set(limits.down);
  };
  return runtime::run_on(net_.executor(), std::move(set));
}

runtime::Task<void> NetLoop::set_banned(std::set<PeerId> peers) {
  auto set = [this, peers = std::move(peers)] { state_->set_banned(peers); };
  return runtime::run_on(net_.executor(), std::move(set));
}

runtime::Task<void> NetLoop::set_paired(std::set<PeerId> peers) {
  auto set = [this, peers = std::move(peers)] { state_->gate().set_paired(peers); };
  return runtime::run_on(net_.executor(), std::move(set));
}

runtime::Task<void> NetLoop::set_offer(std::shared_ptr<const library::Snapshot> snapshot, std::uint64_t revision,
                                       std::string peer_document) {
  auto set = [this, revision, snapshot = std::move(snapshot), document = std::move(peer_document)] {
    state_->seeder().set_snapshot(snapshot);
    state_->seeder().set_revision(revision);
    state_->seeder().set_peer_document(document);
  };
  return runtime::run_on(net_.executor(), std::move(set));
}

runtime::Task<NetStats> NetLoop::stats() {
  auto read = [this] { return state_->stats(); };
  return runtime::run_on(net_.executor(), std::move(read));
}

}  // namespace peer::node
