// bind_udp(): the DatagramSocket of the operating system, polled by libuv.
//
// libuv's own UDP has neither segmentation offload (GSO, GRO) nor ECN, so the descriptor is ours.
// Loop: that of `loop`. Fails: invalid with `system` = EADDRINUSE when the port is taken; the message says what to do.
// An address that this machine does not have (yet: DHCP may be late) is no failure: the socket is bound, a line in the
// log says so, and datagrams arrive and leave from the moment that an interface gets the address.
#pragma once

#include <uv.h>

#include <cstdint>
#include <memory>

#include "libpeer/base/log.h"
#include "libpeer/net/datagram_socket.h"
#include "libpeer/runtime/uv_executor.h"

namespace peer::net {

struct UdpOptions {
  bool gso = true;  ///< try to; what the kernel lacks stays off
  bool gro = true;
  std::uint32_t buffer = 4 << 20;  ///< bytes asked for, each way
};

/// `[::]` is bound for both families; on a machine without IPv6 it becomes 0.0.0.0, with a line in the log.
Result<std::unique_ptr<DatagramSocket>> bind_udp(uv_loop_t* loop, const SocketAddress& address, const Log& log,
                                                 const UdpOptions& options = {});

/// Whether this machine has the address now; the port does not matter. Does not block.
bool owns_address(const SocketAddress& address);

inline Result<std::unique_ptr<DatagramSocket>> bind_udp(runtime::UvExecutor& executor, const SocketAddress& address,
                                                        const Log& log, const UdpOptions& options = {}) {
  return bind_udp(executor.loop(), address, log, options);
}

}  // namespace peer::net
