// Resolver: from a host name to addresses.
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
  /// At least one address, each once and with `port`, in the order to try them; an address in text form stands for
  /// itself. Fails: unreachable when the name is unknown or cannot be looked up now, invalid when it can be no name.
  /// Cancel: throws Cancelled at once, a look-up that has begun is abandoned.
  virtual runtime::Task<Result<std::vector<SocketAddress>>> resolve(std::string host, std::uint16_t port,
                                                                    runtime::CancellationToken token) = 0;
};

/// By the machine's own rules (hosts file, DNS, mDNS where configured). A look-up can take a worker for minutes: give
/// it workers of its own, which must outlive the resolver.
std::unique_ptr<Resolver> system_resolver(runtime::Workers& workers);

/// The address that `host` is the text of ("10.0.0.1", "::1", "[fe80::1%eth0]"), if it is one.
std::optional<SocketAddress> literal_address(std::string_view host, std::uint16_t port);

/// Fails: invalid for what is neither a name nor an address.
Result<void> check_host(std::string_view host);

/// Where a peer is, as a person writes it.
struct HostPort {
  std::string host;  ///< a name or an address, without brackets
  std::uint16_t port = kDefaultPort;
  bool operator==(const HostPort&) const = default;
};
/// "den", "den:24747", "192.168.1.20:24747", "fe80::1%eth0", "[fe80::1%eth0]:24747"; an interface need not exist yet.
/// Fails: invalid, naming the text and what is wrong with it.
Result<HostPort> parse_host_port(std::string_view text);

/// Of one name; further addresses are left out.
inline constexpr std::size_t kMaxResolved = 16;

}  // namespace peer::net
