#include "net/resolver.h"

#include <netdb.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "runtime/offload_abandonable.h"

namespace peer::net {

namespace {

using Addresses = Result<std::vector<SocketAddress>>;

/// Blocks. Owns all it touches: it may outlive whoever asked.
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
  explicit SystemResolver(rt::Workers& workers) : workers_(workers) {}

  rt::Task<Addresses> resolve(std::string host, std::uint16_t port, rt::CancellationToken token) override {
    if (const auto literal = literal_address(host, port)) co_return std::vector<SocketAddress>{*literal};
    if (const auto valid = check_host(host); !valid) co_return std::unexpected(valid.error());
    auto job = [host, port](const rt::StopFlag&) { return look_up(host, port); };
    auto looking = rt::offload_abandonable(workers_, std::move(job), token);
    co_return co_await looking;
  }

 private:
  rt::Workers& workers_;
};

}  // namespace

std::unique_ptr<Resolver> system_resolver(rt::Workers& workers) { return std::make_unique<SystemResolver>(workers); }

std::optional<SocketAddress> literal_address(std::string_view host, std::uint16_t port) {
  // "1.2.3.4:5" is no host.
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
  std::string shown;
  for (const char c : host.substr(0, kLongestName)) shown += c >= ' ' && c <= '~' ? c : '?';
  return fail(ErrorCode::invalid, "\"" + shown + "\" is no host name");
}

}  // namespace peer::net
