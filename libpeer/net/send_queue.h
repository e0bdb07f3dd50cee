// SendQueue: sends the datagrams of an endpoint, and keeps copies of those that the socket does not accept yet.
//
// Loop: the endpoint's. Limits: a connection sends nothing while the queue is blocked, so the copies stay few.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "libpeer/net/address.h"
#include "libpeer/net/datagram_socket.h"
#include "libpeer/runtime/event.h"

namespace peer::net {

class Connection;

class SendQueue {
 public:
  /// `socket` must outlive the queue.
  explicit SendQueue(DatagramSocket& socket);

  /// The buffer in which a connection writes the datagrams of one send().
  std::span<std::uint8_t> buffer() noexcept { return buffer_; }
  std::size_t max_segments() const { return socket_.max_segments(); }
  /// Sends the datagrams, or keeps a copy until the socket accepts data again. `ecn` has ngtcp2's encoding.
  void send(const SocketAddress& local, const SocketAddress& remote, std::uint8_t ecn,
            std::span<const std::uint8_t> data, std::size_t segment);
  bool blocked() const noexcept { return !unsent_.empty(); }
  /// The connection has more to send once the queue is no longer blocked.
  void wait_for_room(std::weak_ptr<Connection> connection) { waiting_.push_back(std::move(connection)); }
  /// The socket accepts data again: sends the copies. Returns false if the socket blocked again.
  bool send_copies();
  /// Removes and returns the connections that wait for room.
  std::vector<std::weak_ptr<Connection>> pop_waiting();
  void clear() { unsent_.clear(); }

  runtime::Event drained;  ///< set by send_copies() when nothing is left

 private:
  struct UnsentPacket {
    SocketAddress local, remote;
    Ecn ecn;
    std::vector<std::uint8_t> data;
    std::size_t segment;
  };
  DatagramSocket& socket_;
  std::vector<std::uint8_t> buffer_;
  std::deque<UnsentPacket> unsent_;
  std::vector<std::weak_ptr<Connection>> waiting_;
};

}  // namespace peer::net
