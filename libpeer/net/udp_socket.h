// bind_udp(): the DatagramSocket of the operating system, polled by libuv.
//
// libuv's UDP handle supports neither segmentation offload (GSO, GRO) nor ECN, so libuv only polls the descriptor.
// Loop: that of `loop`. Fails: invalid, with `system` = EADDRINUSE if the port is in use; the message says what to do.
// An address that this machine does not have yet (DHCP may be late) is not an error: the socket is bound, the log
// warns, and datagrams flow as soon as an interface gets the address.
#pragma once

#include <uv.h>

#include <cstdint>
#include <memory>

#include "libpeer/base/log.h"
#include "libpeer/net/datagram_socket.h"
#include "libpeer/runtime/uv_executor.h"

namespace peer::net {

struct UdpOptions {
  bool gso = true;                 ///< if the kernel supports it
  bool gro = true;                 ///< if the kernel supports it
  std::uint32_t buffer = 4 << 20;  ///< bytes to request for each direction
};

/// `[::]` binds both families. On a machine without IPv6 it binds 0.0.0.0 instead, and logs that.
Result<std::unique_ptr<DatagramSocket>> bind_udp(uv_loop_t* loop, const SocketAddress& address, const Log& log,
                                                 const UdpOptions& options = {});

/// Whether this machine has the address now. Ignores the port. Does not block.
bool owns_address(const SocketAddress& address);

inline Result<std::unique_ptr<DatagramSocket>> bind_udp(runtime::UvExecutor& executor, const SocketAddress& address,
                                                        const Log& log, const UdpOptions& options = {}) {
  return bind_udp(executor.loop(), address, log, options);
}

}  // namespace peer::net
