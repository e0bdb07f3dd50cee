#include "libpeer/net/address.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

namespace peer::net {

namespace {

void set_v4(sockaddr_in6& out, const in_addr& v4) {
  out.sin6_addr = in6_addr{};
  out.sin6_addr.s6_addr[10] = 0xff;
  out.sin6_addr.s6_addr[11] = 0xff;
  std::memcpy(out.sin6_addr.s6_addr + 12, &v4, sizeof v4);
}

/// Accepts only digits: "+80" and " 80" are not ports.
std::optional<std::uint16_t> parse_number(std::string_view text) {
  std::uint16_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::unexpected<Error> bad_address(std::string_view text, std::string_view why) {
  std::string message = "\"";
  message += text;
  message += "\" is not an address: ";
  message += why;
  return fail(ErrorCode::invalid, std::move(message));
}

}  // namespace

SocketAddress SocketAddress::from_native(const sockaddr* address, socklen_t length) {
  SocketAddress result;
  if (address->sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
    sockaddr_in v4;
    std::memcpy(&v4, address, sizeof v4);
    set_v4(result.address_, v4.sin_addr);
    result.address_.sin6_port = v4.sin_port;
  } else if (address->sa_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    sockaddr_in6 v6;
    std::memcpy(&v6, address, sizeof v6);
    result.address_.sin6_addr = v6.sin6_addr;
    result.address_.sin6_port = v6.sin6_port;
    if (IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr)) result.address_.sin6_scope_id = v6.sin6_scope_id;
  }
  return result;
}

Result<SocketAddress> SocketAddress::parse(std::string_view text, std::uint16_t default_port) {
  std::string_view host = text;
  std::optional<std::string_view> port_text;
  bool bracketed = false;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return bad_address(text, "the closing ']' is missing");
    bracketed = true;
    host = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty()) {
      if (rest.front() != ':') return bad_address(text, "only :PORT may follow ']'");
      port_text = rest.substr(1);
    }
  } else if (std::ranges::count(text, ':') == 1) {
    const std::size_t colon = text.find(':');
    host = text.substr(0, colon);
    port_text = text.substr(colon + 1);
  }

  SocketAddress result;
  std::uint16_t port = default_port;
  if (port_text) {
    const auto parsed = parse_number(*port_text);
    if (!parsed) return bad_address(text, "the port must be a number from 0 to 65535");
    port = *parsed;
  }
  result.address_.sin6_port = htons(port);

  const std::size_t percent = host.find('%');
  const std::string ip(host.substr(0, percent));
  in_addr v4;
  if (!bracketed && percent == std::string_view::npos && inet_pton(AF_INET, ip.c_str(), &v4) == 1) {
    set_v4(result.address_, v4);
    return result;
  }
  if (inet_pton(AF_INET6, ip.c_str(), &result.address_.sin6_addr) != 1) {
    return bad_address(text, "write 192.168.1.2:24747 or [fe80::1%eth0]:24747");
  }
  if (percent != std::string_view::npos) {
    const std::string scope(host.substr(percent + 1));
    if (!IN6_IS_ADDR_LINKLOCAL(&result.address_.sin6_addr)) {
      return bad_address(text, "only link-local (fe80::) addresses take an interface");
    }
    std::uint32_t index = if_nametoindex(scope.c_str());
    if (index == 0) index = parse_number(scope).value_or(0);
    if (index == 0) return bad_address(text, "this machine has no interface \"" + scope + "\"");
    result.address_.sin6_scope_id = index;
  }
  return result;
}

SocketAddress SocketAddress::loopback(std::uint16_t port) {
  SocketAddress result;
  set_v4(result.address_, in_addr{htonl(INADDR_LOOPBACK)});
  return result.with_port(port);
}

bool SocketAddress::is_v4() const noexcept { return IN6_IS_ADDR_V4MAPPED(&address_.sin6_addr); }

bool SocketAddress::is_unspecified() const noexcept {
  const std::uint8_t* bytes = address_.sin6_addr.s6_addr;
  if (is_v4()) return std::all_of(bytes + 12, bytes + 16, [](std::uint8_t b) { return b == 0; });
  return IN6_IS_ADDR_UNSPECIFIED(&address_.sin6_addr);
}

bool SocketAddress::is_loopback() const noexcept {
  if (is_v4()) return address_.sin6_addr.s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&address_.sin6_addr);
}

bool SocketAddress::is_local() const noexcept {
  if (is_loopback()) return true;
  const std::uint8_t* bytes = address_.sin6_addr.s6_addr;
  if (!is_v4()) return IN6_IS_ADDR_LINKLOCAL(&address_.sin6_addr) || (bytes[0] & 0xfe) == 0xfc;
  const std::uint8_t a = bytes[12];
  const std::uint8_t b = bytes[13];
  return a == 10 || (a == 172 && (b & 0xf0) == 16) || (a == 192 && b == 168) || (a == 169 && b == 254);
}

std::uint16_t SocketAddress::port() const noexcept { return ntohs(address_.sin6_port); }

SocketAddress SocketAddress::with_port(std::uint16_t port) const {
  SocketAddress result = *this;
  result.address_.sin6_port = htons(port);
  return result;
}

socklen_t SocketAddress::to_native(int family, sockaddr_storage& out) const {
  out = sockaddr_storage{};
  if (family == AF_INET) {
    if (!is_v4() && !is_unspecified()) return 0;
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = address_.sin6_port;
    if (is_v4()) std::memcpy(&v4.sin_addr, address_.sin6_addr.s6_addr + 12, sizeof v4.sin_addr);
    std::memcpy(&out, &v4, sizeof v4);
    return sizeof v4;
  }
  sockaddr_in6 v6 = address_;
  v6.sin6_family = AF_INET6;
  std::memcpy(&out, &v6, sizeof v6);
  return sizeof v6;
}

std::string SocketAddress::host_string() const {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  if (is_v4()) {
    inet_ntop(AF_INET, address_.sin6_addr.s6_addr + 12, buffer.data(), buffer.size());
    return buffer.data();
  }
  inet_ntop(AF_INET6, &address_.sin6_addr, buffer.data(), buffer.size());
  std::string text = buffer.data();
  if (address_.sin6_scope_id != 0) {
    std::array<char, IF_NAMESIZE> name{};
    text += '%';
    if (if_indextoname(address_.sin6_scope_id, name.data()) != nullptr) {
      text += name.data();
    } else {
      text += std::to_string(address_.sin6_scope_id);
    }
  }
  return text;
}

std::string SocketAddress::to_string() const {
  std::string text = is_v4() ? host_string() : '[' + host_string() + ']';
  text += ':';
  text += std::to_string(port());
  return text;
}

std::strong_ordering SocketAddress::operator<=>(const SocketAddress& other) const noexcept {
  const int order = std::memcmp(&address_.sin6_addr, &other.address_.sin6_addr, sizeof address_.sin6_addr);
  if (order != 0) return order <=> 0;
  if (const auto scopes = address_.sin6_scope_id <=> other.address_.sin6_scope_id; scopes != 0) return scopes;
  return port() <=> other.port();
}

}  // namespace peer::net

std::size_t std::hash<peer::net::SocketAddress>::operator()(const peer::net::SocketAddress& address) const noexcept {
  std::array<std::uint64_t, 2> words;
  std::memcpy(words.data(), &address.address_.sin6_addr, sizeof words);
  std::uint64_t value = words[0] ^ (words[1] * 0x9e3779b97f4a7c15ULL);
  value ^= (std::uint64_t{address.address_.sin6_scope_id} << 16 | address.address_.sin6_port) * 0xc2b2ae3d27d4eb4fULL;
  value ^= value >> 32;
  return value * 0x9e3779b97f4a7c15ULL;
}
