#include "libpeer/host/system.h"

#include <unistd.h>

#include <chrono>
#include <utility>

#include "libpeer/discovery/avahi_discovery.h"
#include "libpeer/host/listen_addresses.h"
#include "libpeer/library/inotify_watcher.h"
#include "libpeer/net/interfaces.h"
#include "libpeer/net/local_network.h"
#include "libpeer/net/udp_socket.h"
#include "libpeer/runtime/call_on.h"

namespace peer::host {
namespace {

constexpr unsigned kDiskThreads = 4;
constexpr unsigned kResolverThreads = 2;

runtime::Task<Result<std::unique_ptr<net::DatagramSocket>>> bind_on(uv_loop_t* loop, net::SocketAddress address,
                                                                    Log log) {
  co_return net::bind_udp(loop, address, log);
}

}  // namespace

std::int64_t wall_clock() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string host_name() {
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 && name[0] != 0 ? std::string(name).substr(0, 64) : "peerd";
}

System::System(std::unique_ptr<store::Store> store, Log log)
    : log_(std::move(log)),
      random_(system_random()),
      disk_(store::posix_disk()),
      store_(std::move(store)),
      workers_("disk", kDiskThreads),
      store_thread_("store", 1),
      resolver_threads_(*new runtime::ThreadWorkers("resolver", kResolverThreads)),
      resolver_(net::system_resolver(resolver_threads_)),
      watcher_(library::inotify_watcher(executor_, log_.named("library"))),
      network_(discovery::netlink_monitor(executor_, log_.named("discovery"))),
      net_("net"),
      control_(executor_, "control", runtime::CancellationToken{}) {}

runtime::Task<Result<std::unique_ptr<net::DatagramSocket>>> System::bind(net::SocketAddress address) {
  auto bind_there = [loop = net_.uv(), address, log = log_.named("net")](runtime::CancellationToken) {
    return bind_on(loop, address, log);
  };
  return runtime::call_on(net_.scope(), "bind", std::move(bind_there), runtime::CancellationToken{});
}

void System::configure(api::PeerBuilder& peer, std::unique_ptr<net::DatagramSocket> socket,
                       discovery::InterfaceFilter configured, bool mdns) {
  const net::SocketAddress bound = socket->local_address();
  const discovery::InterfaceFilter interfaces = used_interfaces(bound, std::move(configured));
  // Other machines cannot reach a loopback address, so announcing it is pointless.
  if (mdns && !bound.is_loopback()) {
    discovery_ = std::make_unique<discovery::AvahiDiscovery>(executor_, interfaces, log_.named("discovery"));
  }
  api::MachineNetwork network;
  network.addresses = reachable_addresses(bound, interfaces);
  if (bound.is_unspecified()) {
    network.find_addresses = [bound, interfaces] { return reachable_addresses(bound, interfaces); };
  }
  network.can_listen = [bound] { return net::owns_address(bound); };
  network.list_interfaces = [interfaces] { return local_interfaces(interfaces); };
  network.admit = [local = std::make_shared<net::LocalNetwork>(), clock = &net_.executor()](
                      const net::SocketAddress& remote) { return local->contains(remote, clock->now()); };
  // The system's random generator is thread-safe.
  peer.loops(control_, net_.scope())
      .threads(workers_, store_thread_)
      .storage(*disk_, *store_)
      .random(*random_, *random_);
  peer.clock(wall_clock).resolver(*resolver_).watcher(watcher_.get()).discovery(discovery_.get(), network_.get());
  peer.listen(std::move(socket)).machine(std::move(network)).log(log_);
}

}  // namespace peer::host
