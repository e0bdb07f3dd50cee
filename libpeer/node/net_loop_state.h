// NetLoopState: the part of a node that lives on its net loop: the network, the seeder, the rate limits, and the
// routing of requests to seeder and sessions.
//
// Created, used and destroyed on the net loop; the control loop reaches it through NetLoop. Loop: net.
#pragma once

#include <memory>
#include <set>
#include <utility>

#include "libpeer/access/gate.h"
#include "libpeer/api/network.h"
#include "libpeer/base/log.h"
#include "libpeer/runtime/token_bucket.h"
#include "libpeer/sessions/session_stream.h"
#include "libpeer/transfer/seeder.h"

namespace peer::node {

struct NetStats {
  net::SocketStats socket;
  transfer::SeederStats seeder;
};

class NetLoopState {
 public:
  /// Owns: the network. `disk` and `workers` must outlive it.
  NetLoopState(runtime::Executor& executor, std::unique_ptr<api::Network> network, access::Access access,
               const PeerId& self, store::Disk& disk, runtime::Workers& workers, Log log);

  /// The network's outermost task. Fails: throws when the socket fails.
  runtime::Task<void> run(runtime::CancellationToken token) { return network_->run(std::move(token)); }
  /// Serves requests until cancelled. Requests in progress continue when new ones are no longer accepted.
  runtime::Task<void> serve(sessions::SessionContext sessions, runtime::CancellationToken token);
  /// While not accepting, answers new requests with 503.
  void set_accepting(bool accepting) noexcept { accepting_ = accepting; }

  /// For sessions, which pass the gate themselves in order to report peers that the gate rejects.
  net::Transport& endpoint() noexcept { return network_->transport(); }
  access::Gate& gate() noexcept { return gate_; }
  /// For everything else: its links have passed the gate.
  net::Transport& transport() noexcept { return transport_; }
  NetStats stats() const { return {network_->socket_stats(), seeder_.stats()}; }
  transfer::Seeder& seeder() noexcept { return seeder_; }
  transfer::RateLimit& up() noexcept { return up_; }
  transfer::RateLimit& down() noexcept { return down_; }
  /// Requests of these peers outside of sessions are refused; sessions refuse them by their Hello.
  void set_banned(std::set<PeerId> peers) { banned_ = std::move(peers); }

 private:
  bool is_banned(const net::ServerStream& stream) const { return stream.peer() && banned_.contains(*stream.peer()); }
  runtime::Task<void> handle(sessions::SessionContext sessions, net::ServerStream& stream,
                             runtime::CancellationToken token);
  runtime::Task<void> turn_away(const sessions::SessionContext& sessions, net::ServerStream& stream,
                                runtime::CancellationToken token);

  runtime::Executor& executor_;
  std::unique_ptr<api::Network> network_;
  access::Gate gate_;
  runtime::TokenBucket denials_;
  access::GatedTransport transport_;
  transfer::RateLimit up_;
  transfer::RateLimit down_;
  transfer::Seeder seeder_;
  std::set<PeerId> banned_;
  bool accepting_ = false;
};

}  // namespace peer::node
