// NetSide: what a peer has on its net loop: the endpoint, the seeder, and the routing of requests between seeder and
// sessions.
//
// Made, used and destroyed on the net loop; the control loop reaches it through runtime::call_on().
#pragma once

#include <memory>
#include <set>
#include <utility>

#include "libpeer/access/gate.h"
#include "libpeer/api/network.h"
#include "libpeer/base/log.h"
#include "libpeer/net/endpoint.h"
#include "libpeer/runtime/token_bucket.h"
#include "libpeer/sessions/session.h"
#include "libpeer/transfer/seeder.h"

namespace peer::node {

std::unique_ptr<api::Network> endpoint_network(runtime::Scope& net, std::unique_ptr<net::DatagramSocket> socket,
                                               net::EndpointOptions options);

struct NetStats {
  net::SocketStats socket;
  transfer::SeederStats seeder;
};

class NetSide {
 public:
  NetSide(runtime::Executor& executor, std::unique_ptr<api::Network> network, access::Access access, const PeerId& self,
          store::Disk& disk, runtime::Workers& workers, Log log);

  /// The endpoint's outermost task. Fails: throws when the socket breaks.
  runtime::Task<void> run(runtime::CancellationToken token) { return network_->run(std::move(token)); }
  /// Serves until cancelled: what is under way goes on whether new requests are accepted or not. Where sessions report
  /// to is given here.
  runtime::Task<void> serve(sessions::SessionContext sessions, runtime::CancellationToken token);
  /// While not accepting, new requests are answered 503.
  void set_accepting(bool accepting) noexcept { accepting_ = accepting; }

  /// For sessions, which pass the gate themselves: they tell who did not.
  net::Transport& endpoint() noexcept { return network_->transport(); }
  access::Gate& gate() noexcept { return gate_; }
  /// For everything else; its links have passed the gate.
  net::Transport& transport() noexcept { return transport_; }
  NetStats stats() const { return {network_->socket_stats(), seeder_.stats()}; }
  transfer::Seeder& seeder() noexcept { return seeder_; }
  transfer::RateLimit& up() noexcept { return up_; }
  transfer::RateLimit& down() noexcept { return down_; }
  /// They get nothing that is asked for outside a session, and no session by their Hello.
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
