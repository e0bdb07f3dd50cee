// SimNetwork: datagrams between hosts in one process, under virtual time, with the faults of real networks. The same
// seed and the same calls produce the same deliveries.
//
// 1. A host is an IP address. Its sockets have different ports, as on a real machine.
// 2. Nothing is delivered inside send(). Datagrams arrive in bursts, from a timer, at least one tick later.
// 3. Conditions apply to one direction between two hosts, and so does the queue for the bandwidth.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "libpeer/base/random.h"
#include "libpeer/net/datagram_socket.h"
#include "libpeer/runtime/manual_executor.h"

namespace peer::test {

/// The conditions of one direction between two hosts. Units: probabilities from 0 to 1.
struct LinkConditions {
  runtime::Duration delay = std::chrono::microseconds(100);
  runtime::Duration jitter{};  ///< additional delay up to this, without changing the order
  double loss = 0;
  double duplicate = 0;
  double reorder = 0;  ///< delayed by reorder_delay, so that later datagrams overtake
  runtime::Duration reorder_delay = std::chrono::milliseconds(2);
  double congestion_marks = 0;       ///< ECN-capable datagrams that arrive marked CE
  std::uint64_t bandwidth = 0;       ///< bytes a second, including IP headers; 0: no limit
  std::size_t queue = 256 << 10;     ///< bytes that wait for bandwidth; more are dropped
  std::size_t path_mtu = 65535;      ///< larger IP packets are lost
  std::size_t interface_mtu = 1500;  ///< larger IP packets fail at once: too_big
};

class SimSocket;

/// Must outlive its sockets.
class SimNetwork {
 public:
  struct Stats {
    std::uint64_t sent = 0, delivered = 0, bytes_delivered = 0;
    std::uint64_t lost = 0, queue_dropped = 0, mtu_dropped = 0, cut = 0, filtered = 0, unbound = 0;
    std::uint64_t duplicated = 0, reordered = 0, too_big = 0, would_block = 0;
  };
  /// Sees every datagram that enters the network. It may change the datagram; returning false drops it.
  using Filter = std::function<bool(const net::SocketAddress& from, const net::SocketAddress& to,
                                    std::vector<std::uint8_t>& data)>;

  SimNetwork(runtime::ManualExecutor& executor, std::uint64_t seed);
  ~SimNetwork();

  /// Binds a socket to this address. Port 0 binds a free port. The address must be specified and not in use.
  std::unique_ptr<net::DatagramSocket> bind(const net::SocketAddress& address);
  runtime::ManualExecutor& executor() noexcept { return executor_; }

  /// Sets the conditions of all directions that have none of their own.
  void set_conditions(const LinkConditions& conditions) { defaults_ = conditions; }
  /// Sets the conditions from `from` to `to`. Ignores ports.
  void set_conditions(const net::SocketAddress& from, const net::SocketAddress& to, const LinkConditions& conditions);
  /// Restores the defaults.
  void clear_conditions(const net::SocketAddress& from, const net::SocketAddress& to);
  /// Drops everything between the two hosts until heal().
  void partition(const net::SocketAddress& a, const net::SocketAddress& b);
  void heal(const net::SocketAddress& a, const net::SocketAddress& b);
  /// Drops everything to and from the host, including datagrams in flight, until restore().
  void cut(const net::SocketAddress& host);
  void restore(const net::SocketAddress& host);
  void set_filter(Filter filter) { filter_ = std::move(filter); }

  /// Sets what sockets report from now on. 1 is a machine without GSO. Existing sockets still accept what they allowed
  /// before, as real ones do when GSO fails.
  void set_max_segments(std::size_t segments);
  /// The probability that a send blocks for one tick.
  void set_would_block(double share) { would_block_ = share; }
  /// Blocks every send of the socket at `address` until allow_sends().
  void block_sends(const net::SocketAddress& address);
  void allow_sends(const net::SocketAddress& address);
  /// Arrival times are rounded up to multiples of this, which makes bursts.
  void set_tick(runtime::Duration tick) { tick_ = tick; }

  const Stats& stats() const noexcept { return stats_; }

 private:
  friend class SimSocket;
  using Direction = std::pair<net::SocketAddress, net::SocketAddress>;
  struct Wire {  // the state of one direction
    runtime::TimePoint busy_until{};
    runtime::TimePoint last_arrival{};
  };

  bool chance(double share);
  const LinkConditions& conditions(const Direction& direction) const;
  bool severed(const Direction& direction) const;
  void transmit(const net::SocketAddress& from, const net::SocketAddress& to, net::Ecn ecn,
                std::vector<std::uint8_t> data);
  void arrive(runtime::TimePoint at, const net::SocketAddress& from, const net::SocketAddress& to, net::Ecn ecn,
              std::vector<std::uint8_t> data);
  SimSocket& at(const net::SocketAddress& address);

  runtime::ManualExecutor& executor_;
  std::unique_ptr<Random> random_;
  LinkConditions defaults_;
  std::map<Direction, LinkConditions> conditions_;
  std::map<Direction, Wire> wires_;
  std::set<Direction> partitions_;
  std::set<net::SocketAddress> cut_;
  std::map<net::SocketAddress, SimSocket*> sockets_;
  Filter filter_;
  std::size_t max_segments_ = 64;
  std::size_t most_segments_ = 64;  // the most that an existing socket was allowed
  double would_block_ = 0;
  runtime::Duration tick_ = std::chrono::microseconds(50);
  std::uint16_t next_port_ = 40000;
  Stats stats_;
};

}  // namespace peer::test
