// NetSide: what a peer has on its net loop: the endpoint, the seeder, and the routing of requests between seeder and
// sessions.
//
// Made, used and destroyed on the net loop; the control loop reaches it through rt::call_on().
#pragma once

#include <memory>

#include "base/log.h"
#include "net/endpoint.h"
#include "peer/session.h"
#include "transfer/seeder.h"

namespace peer::node {

class NetSide {
 public:
  NetSide(rt::Scope& net, std::unique_ptr<net::DatagramSocket> socket, net::EndpointOptions options, store::Disk& disk,
          rt::Workers& workers, Log log);

  /// The endpoint's outermost task. Fails: throws when the socket breaks.
  rt::Task<void> run(rt::CancellationToken token) { return endpoint_.run(token); }
  /// Serves until cancelled: what is under way goes on whether new requests are accepted or not. Where sessions report
  /// to is given here.
  rt::Task<void> serve(SessionContext sessions, rt::CancellationToken token);
  /// While not accepting, new requests are answered 503.
  void set_accepting(bool accepting) noexcept { accepting_ = accepting; }

  net::Transport& transport() noexcept { return endpoint_; }
  transfer::Seeder& seeder() noexcept { return seeder_; }

 private:
  rt::Task<void> handle(SessionContext sessions, net::ServerStream& stream, rt::CancellationToken token);

  net::Endpoint endpoint_;
  transfer::Seeder seeder_;
  bool accepting_ = false;
};

}  // namespace peer::node
