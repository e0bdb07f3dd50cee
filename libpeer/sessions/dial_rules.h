// Which of the addresses that a remote names are dialed here. A remote must not make this peer send packets to third
// parties.
#pragma once

#include "libpeer/net/address.h"

namespace peer::sessions {

/// The lowest port of a listener that is dialed because a remote names it.
inline constexpr std::uint16_t kLowestNamedPort = 1024;

/// `remote`: where the naming peer's session comes from. `is_on_link`: the address is in the network of one of this
/// machine's interfaces.
bool may_dial(const net::SocketAddress& address, const net::SocketAddress& remote, bool is_on_link);

}  // namespace peer::sessions
