// Discovery: the interface for finding peers by DNS-SD. The daemon implements it with Avahi, tests with a table.
//
// Everything found is a hint that anyone on the network may have forged; only the handshake proves who a peer is.
// Loop: the control loop. Limits: kMaxFoundPeers, kMaxFoundAddresses.
#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "libpeer/discovery/record.h"
#include "libpeer/net/address.h"
#include "libpeer/runtime/cancellation.h"
#include "libpeer/runtime/task.h"

namespace peer::discovery {

inline constexpr std::size_t kMaxFoundPeers = 1024;
inline constexpr std::size_t kMaxFoundAddresses = 16;  ///< of one peer

/// A peer appeared or changed. This is everything that is known about it now.
struct Found {
  Record record;
  std::vector<net::SocketAddress>
      addresses;  ///< at least one, of every interface and family; link-local ones have a scope

  bool operator==(const Found&) const = default;
};
/// No record names this peer now.
struct Lost {
  PeerId id;
};
/// Discovery does not work. It is retried. Reported once; all peers found before are lost.
struct Unavailable {
  std::string reason;  ///< what failed, and what to do
};
/// Discovery works. Reported at the start and after each Unavailable.
struct Available {};
using Event = std::variant<Found, Lost, Unavailable, Available>;

class Discovery {
 public:
  virtual ~Discovery() = default;

  /// Publishes this peer and reports others to `report`, until cancelled. One run at a time. `report` must not throw.
  /// Cancel: returns within kCancelTime, and reports nothing afterwards. Fails: never; problems with avahi-daemon are
  /// reported and retried.
  virtual runtime::Task<void> run(Record self, std::uint16_t port, std::function<void(Event)> report,
                                  runtime::CancellationToken token) = 0;
  /// Publishes another revision of the library. A burst of changes is published as one.
  virtual void set_revision(std::uint64_t revision) = 0;
  /// A handshake has proven this id: if there are too many records, those of this peer are resolved first and kept.
  virtual void prefer(const PeerId& id) = 0;
  /// The known addresses of this peer do not work: resolves its records again.
  virtual void resolve_again(const PeerId& id) = 0;
  /// The interfaces or addresses of this machine have changed.
  virtual void network_changed() = 0;
};

inline constexpr runtime::Duration kCancelTime = std::chrono::milliseconds(250);

}  // namespace peer::discovery
