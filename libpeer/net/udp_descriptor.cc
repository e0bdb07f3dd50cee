#include "libpeer/net/udp_descriptor.h"

#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace peer::net {

namespace {

bool set(int fd, int level, int option, int value) { return setsockopt(fd, level, option, &value, sizeof value) == 0; }

/// Returns the bytes granted. The kernel reports double the size, to account for its bookkeeping.
std::uint32_t set_buffer(int fd, int force, int option, std::uint32_t bytes) {
  if (!set(fd, SOL_SOCKET, force, static_cast<int>(bytes))) set(fd, SOL_SOCKET, option, static_cast<int>(bytes));
  int granted = 0;
  socklen_t length = sizeof granted;
  if (getsockopt(fd, SOL_SOCKET, option, &granted, &length) != 0) return 0;
  return static_cast<std::uint32_t>(granted) / 2;
}

/// QUIC probes the path MTU itself, so the kernel must neither fragment nor apply the MTU that it has learned.
void set_packet_options(int fd, int family) {
  if (family == AF_INET6) {
    set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    set(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
    set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
  } else {
    set(fd, IPPROTO_IP, IP_PKTINFO, 1);
  }
  set(fd, IPPROTO_IP, IP_RECVTOS, 1);
  set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
  set(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
}

std::unexpected<Error> explain(int error, const SocketAddress& address) {
  const std::string where = address.to_string();
  switch (error) {
    case EADDRINUSE:
      return fail(ErrorCode::invalid,
                  "UDP " + where + " is in use: stop the program that uses it, or listen on another port", error);
    case EADDRNOTAVAIL:
      return fail(ErrorCode::invalid, "cannot listen on " + where + ": this machine does not have that address", error);
    case EACCES:
      return fail(ErrorCode::invalid,
                  "cannot listen on " + where + ": ports below 1024 need a privilege; use another port", error);
    default:
      return fail(ErrorCode::invalid, "cannot listen on UDP " + where + ": " + std::generic_category().message(error),
                  error);
  }
}

/// Returns the descriptor, or -errno. A non-null `early` allows an address that this machine does not have yet, and is
/// set to true for such an address.
int open_bound(int family, const SocketAddress& address, bool* early) {
  const int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  if (family == AF_INET6) set(fd, IPPROTO_IPV6, IPV6_V6ONLY, address.is_unspecified() ? 0 : 1);
  sockaddr_storage native;
  const socklen_t length = address.to_native(family, native);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&native), length) == 0) return fd;
  int error = errno;
  // Such a socket receives as soon as an interface gets the address.
  const int free_bind = family == AF_INET6 ? IPV6_FREEBIND : IP_FREEBIND;
  if (error == EADDRNOTAVAIL && early != nullptr &&
      set(fd, family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP, free_bind, 1)) {
    if (bind(fd, reinterpret_cast<const sockaddr*>(&native), length) == 0) {
      *early = true;
      return fd;
    }
    error = errno;
  }
  ::close(fd);
  return -error;
}

}  // namespace

Result<UdpDescriptor> open_udp(const SocketAddress& address, const Log& log, const UdpOptions& options) {
  UdpDescriptor result;
  result.family = address.is_v4() ? AF_INET : AF_INET6;
  bool early = false;
  result.fd = open_bound(result.family, address, address.is_unspecified() ? nullptr : &early);
  const bool no_ipv6 = result.fd == -EAFNOSUPPORT || result.fd == -EADDRNOTAVAIL;
  if (result.family == AF_INET6 && address.is_unspecified() && no_ipv6) {
    log.info("this machine has no IPv6: listening on IPv4 only");
    result.family = AF_INET;
    result.fd = open_bound(result.family, address, nullptr);
  }
  if (result.fd < 0) return explain(-result.fd, address);
  if (early) {
    log.warn("this machine does not have the address " + address.to_string() +
             " yet: peers can connect as soon as an interface gets it");
  }

  set_packet_options(result.fd, result.family);
  result.receive_buffer = set_buffer(result.fd, SO_RCVBUFFORCE, SO_RCVBUF, options.buffer);
  result.send_buffer = set_buffer(result.fd, SO_SNDBUFFORCE, SO_SNDBUF, options.buffer);
  if (result.receive_buffer < options.buffer) {
    log.info("the kernel granted " + std::to_string(result.receive_buffer >> 10) + " KiB of " +
             std::to_string(options.buffer >> 10) + " KiB receive buffer: raise net.core.rmem_max for full speed");
  }
  // The value 0 leaves segmentation off by default: this only tests whether the kernel has the option.
  result.gso = options.gso && set(result.fd, SOL_UDP, UDP_SEGMENT, 0);
  result.gro = options.gro && set(result.fd, SOL_UDP, UDP_GRO, 1);

  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  if (getsockname(result.fd, reinterpret_cast<sockaddr*>(&bound), &length) != 0) {
    const int error = errno;
    ::close(result.fd);
    return explain(error, address);
  }
  result.local = SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&bound), length);
  return result;
}

bool owns_address(const SocketAddress& address) {
  const int fd = open_bound(address.is_v4() ? AF_INET : AF_INET6, address.with_port(0), nullptr);
  if (fd >= 0) ::close(fd);
  return fd != -EADDRNOTAVAIL;
}

}  // namespace peer::net
