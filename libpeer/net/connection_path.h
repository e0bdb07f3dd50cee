// ConnectionPath: the two addresses of a connection, as values and in the form that ngtcp2 points into.
#pragma once

#include <ngtcp2/ngtcp2.h>

#include "libpeer/net/address.h"

namespace peer::net {

class ConnectionPath {
 public:
  ConnectionPath(const SocketAddress& local, const SocketAddress& remote);
  ConnectionPath(const ConnectionPath&) = delete;
  ConnectionPath& operator=(const ConnectionPath&) = delete;

  const SocketAddress& local() const noexcept { return local_; }
  const SocketAddress& remote() const noexcept { return remote_; }
  /// Points into this object.
  ngtcp2_path native() noexcept;
  /// Takes over the addresses that ngtcp2 sends to and from now.
  void follow(const ngtcp2_path& path);

 private:
  SocketAddress local_, remote_;
  sockaddr_storage native_local_{}, native_remote_{};
};

}  // namespace peer::net
