// Resolver: turns a host name into addresses. Also parses the hosts that users write.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/base/result.h"
#include "libpeer/net/address.h"
#include "libpeer/runtime/cancellation.h"
#include "libpeer/runtime/task.h"
#include "libpeer/runtime/workers.h"

namespace peer::net {

class Resolver {
 public:
  virtual ~Resolver() = default;
  /// Returns at least one address, without duplicates and with `port`, in the order to try them. An address in text
  /// form resolves to itself. Fails: unreachable if the name is unknown or the lookup fails, invalid if it is not a
  /// host name. Cancel: throws Cancelled at once, and abandons a lookup that has begun.
  virtual runtime::Task<Result<std::vector<SocketAddress>>> resolve(std::string host, std::uint16_t port,
                                                                    runtime::CancellationToken token) = 0;
};

/// Resolves as the system is configured (hosts file, DNS, mDNS). A lookup can occupy a worker for minutes, so use
/// workers that do nothing else. They must outlive the resolver.
std::unique_ptr<Resolver> system_resolver(runtime::Workers& workers);

/// Parses `host` if it is an address ("10.0.0.1", "::1", "[fe80::1%eth0]").
std::optional<SocketAddress> literal_address(std::string_view host, std::uint16_t port);

/// Fails: invalid if `host` is neither a name nor an address.
Result<void> check_host(std::string_view host);

/// A host and a port, as users write them.
struct HostPort {
  std::string host;  ///< a name or an address, without brackets
  std::uint16_t port = kDefaultPort;
  bool operator==(const HostPort&) const = default;
};
/// Parses "den", "den:24747", "192.168.1.20:24747", "fe80::1%eth0" or "[fe80::1%eth0]:24747". The interface need not
/// exist yet. Fails: invalid.
Result<HostPort> parse_host_port(std::string_view text);

/// Addresses of one name; further ones are ignored.
inline constexpr std::size_t kMaxResolved = 16;

}  // namespace peer::net
