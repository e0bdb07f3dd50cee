#include "libpeer/net/connection_path.h"

#include <cstring>

namespace peer::net {
namespace {

void follow_one(const ngtcp2_addr& from, sockaddr_storage& native, SocketAddress& address) {
  if (std::memcmp(from.addr, &native, sizeof(sockaddr_in6)) == 0) return;
  std::memcpy(&native, from.addr, sizeof(sockaddr_in6));
  address = SocketAddress::from_native(from.addr, sizeof(sockaddr_in6));
}

}  // namespace

ConnectionPath::ConnectionPath(const SocketAddress& local, const SocketAddress& remote)
    : local_(local), remote_(remote) {
  local_.to_native(AF_INET6, native_local_);
  remote_.to_native(AF_INET6, native_remote_);
}

ngtcp2_path ConnectionPath::native() noexcept {
  return {.local = {reinterpret_cast<sockaddr*>(&native_local_), sizeof(sockaddr_in6)},
          .remote = {reinterpret_cast<sockaddr*>(&native_remote_), sizeof(sockaddr_in6)},
          .user_data = nullptr};
}

void ConnectionPath::follow(const ngtcp2_path& path) {
  follow_one(path.remote, native_remote_, remote_);
  follow_one(path.local, native_local_, local_);
}

DatagramPath::DatagramPath(ConnectionPath& path, const SocketAddress& local, const SocketAddress& remote)
    : native_(path.native()) {
  if (remote != path.remote()) {
    remote.to_native(AF_INET6, remote_);
    native_.remote.addr = reinterpret_cast<sockaddr*>(&remote_);
  }
  if (local != path.local()) {
    local.to_native(AF_INET6, local_);
    native_.local.addr = reinterpret_cast<sockaddr*>(&local_);
  }
}

}  // namespace peer::net
