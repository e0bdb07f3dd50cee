// The account of a remote: what it uses is charged to its IPv4 address, or to the /64 of its IPv6 address.
#pragma once

#include "libpeer/net/address.h"

namespace peer::sessions {

/// An address that stands for the account; its port is 0.
net::SocketAddress account_of(const net::SocketAddress& remote);

}  // namespace peer::sessions
