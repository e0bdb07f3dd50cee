// ConnectionIds: finds the connection of a datagram by the connection id in its header.
//
// The ids of a closed connection stay for a while, so that late datagrams get its last packet again.
// Loop: the endpoint's. Limits: limits::kClosed closed connections. Source: RFC 9000, 10.2.
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <list>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "libpeer/net/address.h"
#include "libpeer/runtime/executor.h"

namespace peer::net {

class Connection;

inline constexpr std::size_t kCidLength = 8;  ///< bytes of this side's connection ids, in both roles

struct CidKey {
  std::array<std::uint8_t, NGTCP2_MAX_CIDLEN> bytes{};
  std::uint8_t length = 0;
  CidKey(const std::uint8_t* data, std::size_t size) : length(static_cast<std::uint8_t>(size)) {
    std::memcpy(bytes.data(), data, size);
  }
  explicit CidKey(const ngtcp2_cid& cid) : CidKey(cid.data, cid.datalen) {}
  bool operator==(const CidKey&) const = default;
};
struct CidHash {
  std::size_t operator()(const CidKey& key) const noexcept {
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(key.bytes.data()), key.length});
  }
};

/// The last packet of a closed connection, and where to send it.
struct LastPacket {
  std::vector<std::uint8_t> data;  ///< empty: late datagrams are ignored
  SocketAddress local, remote;
};

class ConnectionIds {
 public:
  explicit ConnectionIds(runtime::Executor& executor) : executor_(executor) {}
  /// clear() must have been called.
  ~ConnectionIds();

  void add(const ngtcp2_cid& cid, Connection& connection);
  void remove(const ngtcp2_cid& cid, const Connection& connection);
  /// Removes all ids of a connection that is over. With a `linger` above zero, the ids lead to `last` for that time.
  void retire(const Connection& connection, LastPacket last, runtime::Duration linger);
  /// Removes all closed connections.
  void clear();

  /// What an id leads to: a live connection, the last packet of a closed one, or neither.
  struct DatagramTarget {
    Connection* live = nullptr;
    const LastPacket* repeat = nullptr;  ///< null once it was repeated limits::kCloseAnswers times
    bool known = false;
  };
  DatagramTarget find(const std::uint8_t* cid, std::size_t length);

 private:
  struct ClosedConnection {
    std::vector<CidKey> keys;
    LastPacket last;
    int answers = 0;
    runtime::Executor::Timer timer;
  };
  struct CidOwner {
    Connection* live = nullptr;
    ClosedConnection* closed = nullptr;
  };
  void drop(std::list<ClosedConnection>::iterator closed);

  runtime::Executor& executor_;
  std::unordered_map<CidKey, CidOwner, CidHash> owners_;
  std::unordered_map<const Connection*, std::vector<CidKey>> keys_;  // of live connections
  std::optional<std::pair<CidKey, Connection*>> last_found_;         // most datagrams follow one of the same connection
  std::list<ClosedConnection> closed_;
};

}  // namespace peer::net
