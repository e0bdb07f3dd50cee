// PeerBuilder: wires a peer to the machine, real or simulated, and starts it.
//
//   api::PeerBuilder builder(std::move(identity), std::move(settings));
//   builder.loops(control, net).threads(workers, store_thread).storage(disk, store).random(*random, *random);
//   builder.clock(wall_clock).resolver(*resolver).listen(std::move(socket));
//   api::PeerRuntimeHandle peer = builder.start();
//
// Each call sets one part; start() stops the program if a required part is missing. The calls above are required; a
// peer without a socket needs network() instead of listen().
// Owns: the identity, the settings and the socket; everything passed by reference must outlive the peer.
// Loop: the control loop's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "libpeer/api/peer.h"

namespace peer::api {

class PeerBuilder {
 public:
  PeerBuilder(net::Identity identity, PeerSettings settings);

  /// The root scopes of the two loops, which may be the same loop.
  PeerBuilder& loops(runtime::Scope& control, runtime::Scope& net);
  PeerBuilder& threads(runtime::Workers& workers, runtime::Workers& store_thread);
  PeerBuilder& storage(store::Disk& disk, store::Store& store);
  /// Pass the same object twice only if it is thread-safe, or if both loops are the same.
  PeerBuilder& random(Random& control, Random& net);
  /// Units: ns since 1970.
  PeerBuilder& clock(std::function<std::int64_t()> wall_clock);
  PeerBuilder& resolver(net::Resolver& resolver);
  /// A bound socket.
  PeerBuilder& listen(std::unique_ptr<net::DatagramSocket> socket);

  // Optional parts; a null pointer or an empty function is the default.
  PeerBuilder& instance(std::string instance);  ///< default: random
  PeerBuilder& discovery(discovery::Discovery* discovery, discovery::NetworkMonitor* monitor);
  PeerBuilder& watcher(library::Watcher* watcher);
  PeerBuilder& network(std::function<std::unique_ptr<Network>(runtime::Scope& net)> make);
  PeerBuilder& machine(MachineNetwork network);
  PeerBuilder& diagnosis(std::function<std::vector<Finding>()> judge_machine);
  PeerBuilder& test_hooks(TestHooks* hooks);
  PeerBuilder& on_event(EventSink sink);
  PeerBuilder& log(Log log);

  const PeerOptions& options() const noexcept { return options_; }
  /// Call it once.
  PeerRuntimeHandle start();

 private:
  PeerOptions options_;
};

}  // namespace peer::api
