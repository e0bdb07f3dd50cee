// UdpDescriptor: an open, bound, non-blocking UDP socket with the options that udp_socket.cc needs.
#pragma once

#include <cstdint>

#include "libpeer/base/log.h"
#include "libpeer/base/result.h"
#include "libpeer/net/address.h"
#include "libpeer/net/udp_socket.h"

namespace peer::net {

struct UdpDescriptor {
  int fd = -1;
  int family = 0;  ///< AF_INET6 carries IPv4 as well, if bound to [::]
  SocketAddress local;
  std::uint32_t receive_buffer = 0, send_buffer = 0;  ///< bytes that the kernel granted
  bool gso = false, gro = false;
};

/// Fails: as bind_udp().
Result<UdpDescriptor> open_udp(const SocketAddress& address, const Log& log, const UdpOptions& options);

}  // namespace peer::net
