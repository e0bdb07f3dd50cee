// SimNetwork: datagrams between hosts in one process under virtual time, with the faults of real networks. The same
// seed and the same calls give the same deliveries.
//
// 1. A host is an IP address; its sockets are told apart by port, as on a real machine.
// 2. Nothing is delivered inside send(): datagrams arrive in bursts, from a timer, at least one tick later.
// 3. The conditions are those of one direction between two hosts; the queue in front of the bandwidth is per direction
// too.
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

/// One direction between two hosts. Shares are of 1.
struct LinkConditions {
  runtime::Duration delay = std::chrono::microseconds(100);
  runtime::Duration jitter{};  ///< up to this much more, without changing the order
  double loss = 0;
  double duplicate = 0;
  double reorder = 0;  ///< held back by reorder_delay, so that later ones overtake
  runtime::Duration reorder_delay = std::chrono::milliseconds(2);
  double congestion_marks = 0;       ///< ECT datagrams that arrive as CE
  std::uint64_t bandwidth = 0;       ///< bytes a second, IP headers included; 0: no limit
  std::size_t queue = 256 << 10;     ///< bytes that wait for the bandwidth; more are dropped
  std::size_t path_mtu = 65535;      ///< larger IP packets vanish
  std::size_t interface_mtu = 1500;  ///< larger ones are refused at once: too_big
};

class SimSocket;

/// Must outlive its sockets.
class SimNetwork {
 public:
  struct Stats {
    std::uint64_t sent = 0, delivered = 0, bytes_delivered = 0;
    std::uint64_t lost = 0, queue_dropped = 0, mtu_dropped = 0, cut = 0, filtered = 0, nobody = 0;
    std::uint64_t duplicated = 0, reordered = 0, too_big = 0, would_block = 0;
  };
  /// Sees every datagram that enters the network, may change it, and drops it by returning false.
  using Filter = std::function<bool(const net::SocketAddress& from, const net::SocketAddress& to,
                                    std::vector<std::uint8_t>& data)>;

  SimNetwork(runtime::ManualExecutor& executor, std::uint64_t seed);
  ~SimNetwork();

  /// A socket at that address; port 0 takes a free one. Binding an address in use, or an unspecified one, is a bug.
  std::unique_ptr<net::DatagramSocket> bind(const net::SocketAddress& address);
  runtime::ManualExecutor& executor() noexcept { return executor_; }

  /// For all directions that have no conditions of their own.
  void set_conditions(const LinkConditions& conditions) { defaults_ = conditions; }
  /// From `from` to `to`; ports are ignored.
  void set_conditions(const net::SocketAddress& from, const net::SocketAddress& to, const LinkConditions& conditions);
  /// Back to the defaults.
  void clear_conditions(const net::SocketAddress& from, const net::SocketAddress& to);
  /// Nothing passes between the two, in either direction, until heal().
  void partition(const net::SocketAddress& a, const net::SocketAddress& b);
  void heal(const net::SocketAddress& a, const net::SocketAddress& b);
  /// Nothing passes to or from the host, what is under way included, until restore().
  void cut(const net::SocketAddress& host);
  void restore(const net::SocketAddress& host);
  void set_filter(Filter filter) { filter_ = std::move(filter); }

  /// What sockets say from now on; 1 is a machine without GSO.
  /// Sockets bound before still take what they allowed then, as real ones do when GSO fails.
  void set_max_segments(std::size_t segments);
  /// The share of sends that would block, to be tried again a tick later.
  void set_would_block(double share) { would_block_ = share; }
  /// Every send of the socket at `address` would block until allow_sends().
  void block_sends(const net::SocketAddress& address);
  void allow_sends(const net::SocketAddress& address);
  /// Arrivals are gathered to multiples of this: how large bursts become.
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
  std::size_t most_segments_ = 64;  // ever allowed to a socket that lives
  double would_block_ = 0;
  runtime::Duration tick_ = std::chrono::microseconds(50);
  std::uint16_t next_port_ = 40000;
  Stats stats_;
};

}  // namespace peer::test
