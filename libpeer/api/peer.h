// PeerRuntime: one whole peer. start_peer() wires its services below the scopes it is given and returns a handle.
//
// Everything from outside comes in through PeerEnvironment, so that several whole peers run in one process under
// virtual time.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "libpeer/access/gate.h"
#include "libpeer/api/commands.h"
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
#include "libpeer/runtime/channel.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/store/disk.h"
#include "libpeer/store/store.h"

namespace peer::api {

/// The seams. All of it must outlive the runtime.
struct PeerEnvironment {
  runtime::Scope* control = nullptr;    ///< root scope of the control loop
  runtime::Scope* net = nullptr;        ///< root scope of the net loop (the same loop in simulation)
  runtime::Workers* workers = nullptr;  ///< disk and hashing
  runtime::Workers* store_thread = nullptr;
  store::Disk* disk = nullptr;
  store::Store* store = nullptr;
  Random* random = nullptr;      ///< control loop's
  Random* net_random = nullptr;  ///< net loop's; may be the same object only if both are one loop
  net::Resolver* resolver = nullptr;
  std::function<std::int64_t()> wall_clock;      ///< ns since 1970
  discovery::Discovery* discovery = nullptr;     ///< null: peers are found without mDNS only
  discovery::NetworkMonitor* network = nullptr;  ///< null: this machine's addresses are taken to stay as they are
  library::Watcher* watcher = nullptr;  ///< of the library's directories; null: they are scanned from time to time
};

struct LocalInterface {
  net::InterfaceAddress address;
  bool used = false;  ///< not left out by a list or by its name
};

struct PeerOptions {
  PeerEnvironment environment;
  net::Identity identity;
  std::unique_ptr<net::DatagramSocket> socket;  ///< bound; used on the net loop
  /// Gives what to use instead of an endpoint on `socket`; called on the net loop. Empty: that endpoint.
  std::function<std::unique_ptr<Network>(runtime::Scope& net)> make_network;
  std::string name;
  std::string instance;                      ///< a fresh random value a start
  std::vector<std::string> roots;            ///< library roots; absolute
  std::vector<std::string> protected_trees;  ///< LibraryOptions'
  std::vector<std::string> protected_files;
  runtime::Duration settle = std::chrono::seconds(5);
  std::vector<std::string> peers;  ///< static, HOST[:PORT]
  std::vector<std::string>
      addresses;  ///< "ip:port" of the listeners, told to peers; empty: the socket's address where it is specific
  /// Lists them anew after a change; empty: they stay.
  std::function<std::vector<std::string>()> find_addresses;
  /// Whether this machine has the address that the socket is bound to; empty: it does. Does not block.
  std::function<bool()> can_listen;
  /// This machine's interfaces; empty: nothing is known of them. Does not block.
  std::function<std::vector<LocalInterface>()> list_interfaces;
  /// Judges what only the machine's owner knows of: the configuration as it stands now, who sets the clock. Called on a
  /// worker. Empty: there is nothing.
  std::function<std::vector<Finding>()> judge_machine;
  runtime::Duration ping = std::chrono::seconds(10);
  runtime::Duration lost = std::chrono::seconds(25);
  runtime::Duration shutdown_timeout = std::chrono::seconds(2);
  std::uint64_t reserve = 256'000'000;  ///< bytes to leave free on the disk
  std::size_t parallel_downloads = 3;
  std::vector<std::string> automatic;  ///< globs: games that are fetched and kept up to date by themselves
  Limits limits;
  access::Access access;
  /// Who may connect; empty: anyone. Called on the net loop.
  std::function<bool(const net::SocketAddress& remote)> admit;
  EventSink on_event;
  Log log;
#if PEERD_TEST_HOOKS
  runtime::Event* end_of_hang = nullptr;  ///< what a service that was told to hang waits for; null: for ever
  /// Spoils what is sent, after all checks: a peer that lies. Called on the net loop.
  std::function<void(std::span<std::uint8_t>)> tamper;
#endif

  explicit PeerOptions(net::Identity i) : identity(std::move(i)) {}
};

/// Why the runtime ended.
struct RuntimeExit {
  bool failed = false;               ///< a Required service ended by itself
  std::vector<std::string> overran;  ///< tasks that had not ended when the shutdown time was over; empty: a clean end
};

/// Sends commands; any thread, copyable. When the last sender and the last handle have gone nobody can ask for anything
/// any more: unless it is stopping, the runtime fails.
class CommandSender {
 public:
  /// False (with no reply) when the runtime takes no more commands, or too many are waiting.
  template <class C>
  bool send(C command, std::function<void(Result<typename C::Reply>)> reply) const {
    return channel_.try_send(Command(Request<C>{std::move(command), std::move(reply)}));
  }

 private:
  friend class PeerRuntimeHandle;
  struct Lease;
  CommandSender(runtime::Channel<Command>::Sender channel, std::shared_ptr<Lease> lease)
      : channel_(std::move(channel)), lease_(std::move(lease)) {}

  runtime::Channel<Command>::Sender channel_;
  std::shared_ptr<Lease> lease_;
};

/// Usable from any thread, copyable.
class PeerRuntimeHandle {
 public:
  CommandSender sender() const { return CommandSender(channel(), lease_); }
  /// Begins the clean stop. Idempotent, does not wait.
  void shutdown() const;
  /// Waits for the end: within shutdown_timeout of shutdown() or of a Required failure. Does not keep the handle alive.
  /// Loop: the control loop's.
  runtime::Task<RuntimeExit> wait_stopped(runtime::CancellationToken token) const;

  struct State;
  explicit PeerRuntimeHandle(std::shared_ptr<State> state);

 private:
  runtime::Channel<Command>::Sender channel() const;

  std::shared_ptr<State> state_;
  std::shared_ptr<CommandSender::Lease> lease_;
};

/// Loop: the control loop's.
PeerRuntimeHandle start_peer(PeerOptions options);

}  // namespace peer::api
