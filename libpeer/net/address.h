// SocketAddress: an IP address with a port, as a value.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "libpeer/base/result.h"

namespace peer::net {

inline constexpr std::uint16_t kDefaultPort = 24747;

/// IPv4-mapped IPv6 addresses count as IPv4. Link-local IPv6 addresses keep their scope, an interface index.
class SocketAddress {
 public:
  SocketAddress() = default;
  static SocketAddress from_native(const sockaddr* address, socklen_t length);
  /// Parses "1.2.3.4:5", "[fe80::1%eth0]:5" or "[::]:0". Without a port, uses `default_port`. Does not resolve host
  /// names. Fails: invalid.
  static Result<SocketAddress> parse(std::string_view text, std::uint16_t default_port = kDefaultPort);
  static SocketAddress loopback(std::uint16_t port);

  bool is_v4() const noexcept;
  bool is_unspecified() const noexcept;  ///< 0.0.0.0 or ::
  bool is_loopback() const noexcept;
  /// Loopback, private (RFC 1918), link-local or IPv6 unique local. See is_on_link() for other local networks.
  bool is_local() const noexcept;
  std::uint16_t port() const noexcept;
  SocketAddress with_port(std::uint16_t port) const;

  /// Converts to a sockaddr_in6 (AF_INET6; IPv4 is mapped into IPv6, as a dual-stack socket needs it) or to a
  /// sockaddr_in (AF_INET). Returns the length, or 0 if an IPv6 address does not fit AF_INET.
  socklen_t to_native(int family, sockaddr_storage& out) const;
  /// "ip:port", with IPv6 in brackets. The scope is an interface name if the interface has one.
  std::string to_string() const;
  std::string host_string() const;  ///< without brackets and without the port

  std::strong_ordering operator<=>(const SocketAddress& other) const noexcept;
  bool operator==(const SocketAddress& other) const noexcept { return (*this <=> other) == 0; }

 private:
  sockaddr_in6 address_{};  // IPv4 as IPv4-mapped
  friend struct std::hash<SocketAddress>;
};

}  // namespace peer::net

template <>
struct std::hash<peer::net::SocketAddress> {
  std::size_t operator()(const peer::net::SocketAddress& address) const noexcept;
};
