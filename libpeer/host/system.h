// System: everything that a peer needs from this machine: event loops, worker threads, disk, database, name resolution,
// mDNS and network monitoring. peerd and host::Host run a peer on it; simulations replace it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libpeer/api/peer_builder.h"
#include "libpeer/base/log.h"
#include "libpeer/base/random.h"
#include "libpeer/discovery/interface_filter.h"
#include "libpeer/discovery/network_monitor.h"
#include "libpeer/library/watcher.h"
#include "libpeer/net/datagram_socket.h"
#include "libpeer/net/resolver.h"
#include "libpeer/runtime/loop_thread.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/thread_workers.h"
#include "libpeer/store/disk.h"
#include "libpeer/store/store.h"

namespace peer::host {

/// ns since 1970, by the system's clock.
std::int64_t wall_clock();
/// The machine's host name, at most 64 bytes; "peerd" if it has none.
std::string host_name();

/// Owns: all of it. Construct and destroy it on one thread, outside the loops.
class System {
 public:
  System(std::unique_ptr<store::Store> store, Log log);

  /// Binds the UDP socket of the peer. Loop: control; runs on the net loop. Fails: invalid, busy.
  runtime::Task<Result<std::unique_ptr<net::DatagramSocket>>> bind(net::SocketAddress address);
  /// Passes to `peer` everything that depends on the machine: the environment, the socket and its addresses, and the
  /// rule that only the local network may connect.
  void configure(api::PeerBuilder& peer, std::unique_ptr<net::DatagramSocket> socket,
                 discovery::InterfaceFilter interfaces, bool mdns);
  /// Stops the net loop and joins its thread. Call it after the control loop has ended. Blocks.
  void stop() { net_.stop(); }

  runtime::UvExecutor& executor() noexcept { return executor_; }
  runtime::Executor& net_executor() noexcept { return net_.executor(); }
  runtime::Scope& control() noexcept { return control_; }
  runtime::ThreadWorkers& workers() noexcept { return workers_; }
  bool has_discovery() const noexcept { return discovery_ != nullptr; }

 private:
  const Log log_;
  std::unique_ptr<Random> random_;
  std::unique_ptr<store::Disk> disk_;
  std::unique_ptr<store::Store> store_;
  runtime::ThreadWorkers workers_;
  runtime::ThreadWorkers store_thread_;
  /// A lookup can hang for minutes and cannot be interrupted, so these threads are never joined and the object is never
  /// destroyed.
  runtime::ThreadWorkers& resolver_threads_;
  std::unique_ptr<net::Resolver> resolver_;
  runtime::UvExecutor executor_;
  std::unique_ptr<library::Watcher> watcher_;
  std::unique_ptr<discovery::Discovery> discovery_;  ///< null: mDNS is switched off
  std::unique_ptr<discovery::NetworkMonitor> network_;
  runtime::LoopThread net_;
  runtime::Scope control_;
};

}  // namespace peer::host
