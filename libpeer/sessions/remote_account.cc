#include "libpeer/sessions/remote_account.h"

#include <algorithm>
#include <cstring>

namespace peer::sessions {

net::SocketAddress account_of(const net::SocketAddress& remote) {
  if (remote.is_v4()) return remote.with_port(0);
  sockaddr_storage storage;
  const socklen_t length = remote.to_native(AF_INET6, storage);
  sockaddr_in6 address{};
  std::memcpy(&address, &storage, std::min<std::size_t>(length, sizeof address));
  std::fill(address.sin6_addr.s6_addr + 8, address.sin6_addr.s6_addr + 16, std::uint8_t{0});
  address.sin6_port = 0;
  return net::SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

}  // namespace peer::sessions
