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

/// IPv4 addresses are always held as IPv4, never mapped into IPv6; link-local IPv6 addresses keep their scope (an
/// interface index).
class SocketAddress {
 public:
  SocketAddress() = default;
  static SocketAddress from_native(const sockaddr* address, socklen_t length);
  /// "1.2.3.4:5", "[fe80::1%eth0]:5", "[::]:0"; without a port, `default_port`. Fails: invalid, naming the text. Host
  /// names are not resolved here.
  static Result<SocketAddress> parse(std::string_view text, std::uint16_t default_port = kDefaultPort);
  static SocketAddress loopback(std::uint16_t port);

  bool is_v4() const noexcept;
  bool is_unspecified() const noexcept;  ///< 0.0.0.0 or ::
  bool is_loopback() const noexcept;
  /// Loopback, RFC 1918 private, link-local, IPv6 unique local. What is on-link beside these only the interfaces know.
  bool is_local() const noexcept;
  std::uint16_t port() const noexcept;
  SocketAddress with_port(std::uint16_t port) const;

  /// For sendmsg on a dual-stack IPv6 socket: IPv4 mapped into IPv6. `family` AF_INET gives a plain sockaddr_in.
  /// Returns the length; 0 for an IPv6 address that AF_INET cannot say.
  socklen_t to_native(int family, sockaddr_storage& out) const;
  /// "ip:port", IPv6 in brackets, the scope as an interface name where it has one.
  std::string to_string() const;
  std::string host_string() const;  ///< without brackets and port

  std::strong_ordering operator<=>(const SocketAddress& other) const noexcept;
  bool operator==(const SocketAddress& other) const noexcept { return (*this <=> other) == 0; }

 private:
  sockaddr_in6 address_{};  // IPv4 in mapped form
  friend struct std::hash<SocketAddress>;
};

}  // namespace peer::net

template <>
struct std::hash<peer::net::SocketAddress> {
  std::size_t operator()(const peer::net::SocketAddress& address) const noexcept;
};
