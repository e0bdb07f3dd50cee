#include "libpeer/sessions/dial_rules.h"

namespace peer::sessions {

bool may_dial(const net::SocketAddress& address, const net::SocketAddress& remote, bool is_on_link) {
  if (address.is_unspecified() || address.port() < kLowestNamedPort) return false;
  if (address.with_port(0) == remote.with_port(0)) return true;
  if (address.is_loopback()) return remote.is_loopback();
  return address.is_local() || is_on_link;  // neither is multicast or broadcast
}

}  // namespace peer::sessions
