// Discovery: who is on the network, by DNS-SD. The seam: Avahi in the daemon, a table in tests.
//
// What is found is a hint that anybody may have forged; the handshake proves who a peer is. Loop: the control loop.
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

/// A peer that appeared, or something of it changed: this is all that is known of it now.
struct Found {
  Record record;
  std::vector<net::SocketAddress> addresses;  ///< never empty; of every interface and family; link-local ones scoped

  bool operator==(const Found&) const = default;
};
/// No record names it any more.
struct Lost {
  PeerId id;
};
/// It does not work, and is tried again and again. Told once; what was found before is lost.
struct Unavailable {
  std::string reason;  ///< what is wrong and what to do
};
/// It works; told at first and after each Unavailable.
struct Available {};
using Event = std::variant<Found, Lost, Unavailable, Available>;

class Discovery {
 public:
  virtual ~Discovery() = default;

  /// Publishes this peer and tells what it finds of others, until cancelled. One run at a time. `tell` must not throw.
  /// Cancel: ends within kCancelTime; nothing is told any more. Fails: no; trouble outside is told and retried.
  virtual runtime::Task<void> run(Record self, std::uint16_t port, std::function<void(Event)> tell,
                                  runtime::CancellationToken token) = 0;
  /// The revision to publish from now on; bursts are published as one.
  virtual void set_revision(std::uint64_t revision) = 0;
  /// This id was proven by a handshake: should there be too many records, its own go first and are kept.
  virtual void prefer(const PeerId& id) = 0;
  /// What was told of this peer leads nowhere: its addresses may be others by now.
  virtual void look_again(const PeerId& id) = 0;
  /// Interfaces or addresses have changed.
  virtual void network_changed() = 0;
};

inline constexpr runtime::Duration kCancelTime = std::chrono::milliseconds(250);

}  // namespace peer::discovery
