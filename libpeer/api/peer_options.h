// PeerOptions: the parts of a peer: its identity, its settings, and its interfaces to the machine that it runs on.
//
// Everything external is passed in through PeerEnvironment, so that several whole peers run in one process under
// virtual time. PeerBuilder fills these structs and checks that nothing is missing.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libpeer/access/gate.h"
#include "libpeer/api/answers.h"
#include "libpeer/api/events.h"
#include "libpeer/api/network.h"
#include "libpeer/base/log.h"
#include "libpeer/base/random.h"
#include "libpeer/discovery/discovery.h"
#include "libpeer/discovery/network_monitor.h"
#include "libpeer/library/watcher.h"
#include "libpeer/net/datagram_socket.h"
#include "libpeer/net/identity.h"
#include "libpeer/net/interfaces.h"
#include "libpeer/net/resolver.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/store/disk.h"
#include "libpeer/store/store.h"

namespace peer::api {

class TestHooks;

/// The peer's interfaces to the machine. Owns: nothing; all of it must outlive the peer.
struct PeerEnvironment {
  runtime::Scope* control = nullptr;    ///< root scope of the control loop
  runtime::Scope* net = nullptr;        ///< root scope of the net loop; may be the same loop
  runtime::Workers* workers = nullptr;  ///< for disk access and hashing
  runtime::Workers* store_thread = nullptr;
  store::Disk* disk = nullptr;
  store::Store* store = nullptr;
  Random* random = nullptr;  ///< used on the control loop
  Random* net_random =
      nullptr;  ///< used on the net loop; the same object only if it is thread-safe or the loops are the same
  net::Resolver* resolver = nullptr;
  std::function<std::int64_t()> wall_clock;              ///< ns since 1970
  discovery::Discovery* discovery = nullptr;             ///< null: no mDNS
  discovery::NetworkMonitor* network_monitor = nullptr;  ///< null: this machine's addresses never change
  library::Watcher* watcher = nullptr;                   ///< of the library's directories; null: periodic scans only
  TestHooks* test_hooks = nullptr;                       ///< null: none
};

struct LocalInterface {
  net::InterfaceAddress address;
  bool used = false;  ///< not excluded by the configuration or by its name
};

/// What the machine knows about its network. Every member may be empty. Loop: control, except admit. None may block.
struct MachineNetwork {
  std::vector<std::string> addresses;  ///< "ip:port" that peers can dial; empty: the socket's address if it is specific
  std::function<std::vector<std::string>()> find_addresses;  ///< the same after a change; empty: they do not change
  std::function<bool()> can_listen;  ///< this machine has the socket's address now; empty: always
  std::function<std::vector<LocalInterface>()> list_interfaces;  ///< empty: unknown
  std::function<bool(const net::SocketAddress& remote)> admit;   ///< who may connect; empty: anyone. Loop: net
};

/// What a user configures. Reconfigure changes some of it while the peer runs.
struct PeerSettings {
  std::string name;
  std::vector<std::string> roots;            ///< library roots, absolute; the first receives downloads
  std::vector<std::string> protected_trees;  ///< as in library::LibraryOptions
  std::vector<std::string> protected_files;
  runtime::Duration settle = std::chrono::seconds(5);  ///< how long a game must be unchanged before it is offered
  std::vector<std::string> peers;                      ///< static peers: HOST[:PORT]
  runtime::Duration ping = std::chrono::seconds(10);   ///< between pings on an idle session
  runtime::Duration lost = std::chrono::seconds(25);   ///< silence after which a peer counts as lost
  runtime::Duration shutdown_timeout = std::chrono::seconds(2);
  std::uint64_t reserve = 256'000'000;  ///< bytes to leave free on the disk
  std::size_t parallel_downloads = 3;
  std::vector<std::string> automatic;  ///< globs: games to download and to keep up to date
  Limits limits;
  access::Access access;
};

struct PeerOptions {
  PeerEnvironment environment;
  net::Identity identity;
  PeerSettings settings;
  std::string instance;                         ///< a fresh random value for each start
  std::unique_ptr<net::DatagramSocket> socket;  ///< bound; used on the net loop
  /// Makes the network to use instead of an endpoint on `socket`. Loop: net. Empty: that endpoint.
  std::function<std::unique_ptr<Network>(runtime::Scope& net)> make_network;
  MachineNetwork network;
  /// Checks what only the application knows: its configuration, the machine's time service. Called on a worker. Empty:
  /// nothing to check.
  std::function<std::vector<Finding>()> judge_machine;
  EventSink on_event;
  Log log;

  explicit PeerOptions(net::Identity i) : identity(std::move(i)) {}
};

}  // namespace peer::api
