// SimSocket: a DatagramSocket on a SimNetwork.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "libpeer/net/datagram_socket.h"
#include "support/net/sim_network.h"

namespace peer::test {

/// The header bytes of a datagram to this address.
std::size_t ip_and_udp_headers(const net::SocketAddress& address);

class SimSocket final : public net::DatagramSocket {
 public:
  SimSocket(SimNetwork& network, net::SocketAddress address) : network_(network), address_(address) {}
  ~SimSocket() override;

  net::SocketAddress local_address() const override { return address_; }
  void start(net::DatagramReceiver& receiver) override;
  net::SendStatus send(const net::SocketAddress& local, const net::SocketAddress& remote, net::Ecn ecn,
                       std::span<const std::uint8_t> data, std::size_t segment) override;
  std::size_t max_segments() const override { return network_.max_segments_; }
  net::SocketStats stats() const override;
  runtime::Task<void> close() override;

 private:
  friend class SimNetwork;
  struct Datagram {
    net::SocketAddress from;
    net::Ecn ecn;
    std::vector<std::uint8_t> data;
  };

  void put(runtime::TimePoint at, Datagram datagram);
  void arm();
  void deliver();
  void promise_writable();
  void release();

  SimNetwork& network_;
  net::SocketAddress address_;
  net::DatagramReceiver* receiver_ = nullptr;
  std::multimap<runtime::TimePoint, Datagram> arriving_;  // equal times keep the insertion order
  std::optional<runtime::Executor::Timer> delivery_;
  std::optional<runtime::Executor::Timer> writable_;
  bool blocked_ = false;        // by the test
  bool owes_writable_ = false;  // a send was blocked
  bool closed_ = false;
  net::SocketStats stats_;
};

}  // namespace peer::test
