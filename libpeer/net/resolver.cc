#include "libpeer/net/resolver.h"

#include <netdb.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>
#include <utility>

#include "libpeer/runtime/offload_abandonable.h"

namespace peer::net {

namespace {

using Addresses = Result<std::vector<SocketAddress>>;

/// Quotes text for a message.
std::string quoted(std::string_view text) {
  constexpr std::size_t kMost = 253;
  std::string shown = "\"";
  for (const char c : text.substr(0, kMost)) shown += c >= ' ' && c <= '~' ? c : '?';
  return shown + '"';
}

/// Blocks. It owns everything it touches, because an abandoned lookup outlives its caller.
Addresses look_up(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0) {
    const int system = error == EAI_SYSTEM ? errno : 0;
    const std::string why = system != 0 ? std::generic_category().message(system) : gai_strerror(error);
    return fail(ErrorCode::unreachable, "no address for \"" + host + "\": " + why, system);
  }
  std::vector<SocketAddress> addresses;
  for (const addrinfo* each = found; each != nullptr && addresses.size() < kMaxResolved; each = each->ai_next) {
    const SocketAddress address = SocketAddress::from_native(each->ai_addr, each->ai_addrlen).with_port(port);
    if (!address.is_unspecified() && std::ranges::find(addresses, address) == addresses.end())
      addresses.push_back(address);
  }
  freeaddrinfo(found);
  if (addresses.empty()) return fail(ErrorCode::unreachable, "no usable address for \"" + host + "\"");
  return addresses;
}

class SystemResolver final : public Resolver {
 public:
  explicit SystemResolver(runtime::Workers& workers) : workers_(workers) {}

  runtime::Task<Addresses> resolve(std::string host, std::uint16_t port, runtime::CancellationToken token) override {
    if (const auto literal = literal_address(host, port)) co_return std::vector<SocketAddress>{*literal};
    if (const auto valid = check_host(host); !valid) co_return std::unexpected(valid.error());
    auto job = [host, port](const runtime::StopFlag&) { return look_up(host, port); };
    auto looking = runtime::offload_abandonable(workers_, std::move(job), token);
    co_return co_await looking;
  }

 private:
  runtime::Workers& workers_;
};

}  // namespace

std::unique_ptr<Resolver> system_resolver(runtime::Workers& workers) {
  return std::make_unique<SystemResolver>(workers);
}

std::optional<SocketAddress> literal_address(std::string_view host, std::uint16_t port) {
  // "1.2.3.4:5" is not a host.
  if (std::ranges::count(host, ':') == 1 || host.ends_with(':')) return std::nullopt;
  if (host.starts_with('[') && !host.ends_with(']')) return std::nullopt;
  const auto parsed = SocketAddress::parse(host, port);
  if (!parsed) return std::nullopt;
  return *parsed;
}

Result<void> check_host(std::string_view host) {
  constexpr std::size_t kLongestName = 253;
  const auto can_stand_in_a_name = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
           c == '_' || static_cast<unsigned char>(c) >= 0x80;
  };
  const bool valid = !host.empty() && host.size() <= kLongestName && std::ranges::all_of(host, can_stand_in_a_name);
  if (valid || literal_address(host, 0)) return {};
  return fail(ErrorCode::invalid, quoted(host) + " is not a host name");
}

Result<HostPort> parse_host_port(std::string_view text) {
  const auto bad = [&](const std::string& why) {
    return fail(ErrorCode::invalid, quoted(text) + " is not HOST[:PORT]: " + why);
  };
  if (text.empty()) return bad("it is empty");
  const bool bracketed = text.starts_with('[');
  const std::size_t bracket = bracketed ? text.find(']') : 0;
  if (bracket == std::string_view::npos) return bad("the closing ']' is missing");
  const bool bare_v6 = !bracketed && std::ranges::count(text, ':') > 1;
  const std::size_t colon = bare_v6 ? std::string_view::npos : text.find(':', bracket);
  HostPort result{std::string(text.substr(0, colon)), kDefaultPort};
  if (bracketed) result.host = text.substr(1, bracket - 1);
  if (bracketed && bracket + 1 != std::min(colon, text.size())) return bad("only :PORT may follow ']'");
  if (colon != std::string_view::npos) {
    const std::string_view digits = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), result.port);
    const bool whole = !digits.empty() && error == std::errc{} && end == digits.data() + digits.size();
    if (!whole || result.port == 0) return bad("the port must be a number from 1 to 65535");
  }
  if (bracketed || bare_v6) {
    // The interface may appear later, so only the address is checked.
    const std::size_t percent = result.host.find('%');
    const auto address = SocketAddress::parse('[' + result.host.substr(0, percent) + ']');
    if (!address) return bad("write 192.168.1.20:24747 or [fe80::1%eth0]:24747");
    const bool link_local = address->is_local() && address->host_string().starts_with("fe");
    if (percent != std::string::npos && (!link_local || percent + 1 == result.host.size())) {
      return bad("only link-local (fe80::) addresses take an interface");
    }
    if (address->is_unspecified()) return bad("no machine has this address");
    return result;
  }
  if (const auto valid = check_host(result.host); !valid) return bad("write den:24747 or 192.168.1.20:24747");
  const auto literal = literal_address(result.host, result.port);
  if (literal && literal->is_unspecified()) return bad("no machine has this address");
  return result;
}

}  // namespace peer::net
