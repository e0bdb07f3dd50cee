// The control messages of a UDP datagram: local address, ECN, segment size, the kernel's drop counter.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "libpeer/net/address.h"
#include "libpeer/net/datagram_socket.h"

namespace peer::net {

/// One message to send. Not movable: it points into itself.
class OutgoingMessage {
 public:
  OutgoingMessage(int family, const SocketAddress& local, const SocketAddress& remote, Ecn ecn);
  OutgoingMessage(const OutgoingMessage&) = delete;
  OutgoingMessage& operator=(const OutgoingMessage&) = delete;

  /// False if a socket of that family cannot reach `remote`.
  bool possible() const noexcept { return header_.msg_namelen != 0; }
  /// Calls sendmsg(). Returns 0 or errno. A `segment` of 0 sends one datagram.
  int send(int fd, std::span<const std::uint8_t> data, std::size_t segment);

 private:
  template <class T>
  void add(int level, int type, const T& value);

  msghdr header_{};
  iovec part_{};
  sockaddr_storage remote_{};
  std::size_t used_ = 0;
  alignas(cmsghdr) std::uint8_t control_[128];
};

/// The addresses and control messages of a received message.
struct IncomingMessage {
  SocketAddress local, remote;
  Ecn ecn = Ecn::not_ect;
  std::size_t segment = 0;               ///< the size of every datagram except the last; 0: one datagram
  std::optional<std::uint32_t> dropped;  ///< datagrams that the kernel dropped since the socket was opened; wraps
};
IncomingMessage parse_message(msghdr& header, std::uint16_t local_port);

/// Bytes for the control messages of one received message.
inline constexpr std::size_t kIncomingControl = 256;

}  // namespace peer::net
