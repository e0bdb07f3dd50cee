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
  /// The path for ngtcp2. It points into this object.
  ngtcp2_path native() noexcept;
  /// Updates the addresses to those of the path that ngtcp2 uses now.
  void follow(const ngtcp2_path& path);

 private:
  SocketAddress local_, remote_;
  sockaddr_storage native_local_{}, native_remote_{};
};

/// The path of one received datagram, which may differ from the connection's. `path` must outlive it.
class DatagramPath {
 public:
  DatagramPath(ConnectionPath& path, const SocketAddress& local, const SocketAddress& remote);
  DatagramPath(const DatagramPath&) = delete;
  DatagramPath& operator=(const DatagramPath&) = delete;
  const ngtcp2_path& native() const noexcept { return native_; }

 private:
  sockaddr_storage local_, remote_;  // used only where they differ from the connection's
  ngtcp2_path native_;
};

}  // namespace peer::net
