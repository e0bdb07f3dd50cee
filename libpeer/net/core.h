// Core: what an endpoint's connections share: the socket, the table of connection ids, the turn's list of work.
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libpeer/net/endpoint.h"
#include "libpeer/net/limits.h"
#include "libpeer/net/tls.h"
#include "libpeer/runtime/event.h"
#include "libpeer/runtime/scope.h"

namespace peer::net {

class Connection;
class Stream;

inline constexpr std::size_t kCidLength = 8;  ///< of this side's connection ids: one length for both roles

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

/// Who serves requests now.
struct Serving {
  explicit Serving(RequestHandler h) : handler(std::move(h)) {}
  RequestHandler handler;
  std::size_t active = 0;
  runtime::Event idle;
};

class Core final : public DatagramReceiver {
 public:
  Core(runtime::Scope& parent, std::unique_ptr<DatagramSocket> socket, EndpointOptions options);
  ~Core() override;

  // For the endpoint.
  runtime::Task<void> run(runtime::CancellationToken token);
  runtime::Task<void> serve(RequestHandler handler, runtime::CancellationToken token);
  runtime::Task<Result<std::unique_ptr<Link>>> dial(SocketAddress address, std::optional<PeerId> expected,
                                                    runtime::CancellationToken token);
  std::size_t connections() const noexcept { return connections_.size(); }
  const DatagramSocket& socket() const noexcept { return *socket_; }

  // For connections.
  runtime::Executor& executor() const noexcept { return scope_.executor(); }
  runtime::Scope& scope() noexcept { return scope_; }
  const EndpointOptions& options() const noexcept { return options_; }
  const TlsContext& tls() const noexcept { return tls_; }
  Random& random() const noexcept { return *options_.random; }
  std::span<const std::uint8_t> reset_secret() const noexcept { return reset_secret_; }
  ngtcp2_tstamp now() const;
  /// When the datagrams of this burst came: the clock is read once for all of them.
  runtime::TimePoint arrival();
  static ngtcp2_tstamp to_quic(runtime::TimePoint at);
  SocketAddress local_address() const { return socket_->local_address(); }
  std::span<std::uint8_t> burst() noexcept { return burst_; }
  std::size_t burst_segments() const { return socket_->max_segments(); }
  /// Sends, or keeps a copy until the socket takes data again.
  void transmit(const SocketAddress& local, const SocketAddress& remote, std::uint8_t ecn,
                std::span<const std::uint8_t> data, std::size_t segment);
  bool blocked() const noexcept { return !unsent_.empty(); }
  /// Flush it when the socket takes data again.
  void stall(const Connection& connection);
  /// Flush it in this turn; the caller is followed by flush_touched() or uses schedule().
  void touch(Connection& connection);
  void schedule(Connection& connection);
  void flush_touched();
  void route(const ngtcp2_cid& cid, Connection& connection);
  void unroute(const ngtcp2_cid& cid);
  /// The connection is over: late datagrams for its ids get `last_packet` again for `linger`, or nothing.
  void retire(Connection& connection, const std::vector<ngtcp2_cid>& cids, std::vector<std::uint8_t> last_packet,
              const SocketAddress& local, const SocketAddress& remote, runtime::Duration linger);
  void handshake_done() { --half_open_; }
  /// False if nobody serves.
  bool begin_request(Connection& connection, std::shared_ptr<Stream> stream);

  void on_datagram(const SocketAddress& local, const SocketAddress& remote, Ecn ecn,
                   std::span<const std::uint8_t> data) override;
  void on_burst_end() override;
  void on_writable() override;
  void on_socket_error(const Error& error) override;

 private:
  struct Packet {
    SocketAddress local, remote;
    Ecn ecn;
    std::vector<std::uint8_t> data;
    std::size_t segment;
  };
  // A closed connection's remains, until late datagrams have died out.
  struct Closed {
    std::vector<CidKey> keys;
    std::vector<std::uint8_t> last_packet;
    SocketAddress local, remote;
    int answers = 0;
    runtime::Executor::Timer timer;
  };
  struct Route {
    Connection* live = nullptr;
    Closed* closed = nullptr;
  };

  // accept.cc: datagrams of no known connection
  void on_stranger(const ngtcp2_version_cid& ids, const SocketAddress& local, const SocketAddress& remote, Ecn ecn,
                   std::span<const std::uint8_t> data);
  void negotiate_version(const ngtcp2_version_cid& ids, const SocketAddress& local, const SocketAddress& remote);
  void reset_stateless(const ngtcp2_version_cid& ids, const SocketAddress& local, const SocketAddress& remote, Ecn ecn,
                       std::span<const std::uint8_t> data);
  void retry(const ngtcp2_pkt_hd& header, const SocketAddress& local, const SocketAddress& remote);
  void refuse(const ngtcp2_pkt_hd& header, std::uint64_t code, const SocketAddress& local, const SocketAddress& remote);
  bool may_answer();

  void add(const std::shared_ptr<Connection>& connection);
  void drop(std::list<Closed>::iterator closed);
  static runtime::Task<void> drive(Core& core, std::shared_ptr<Connection> connection);
  static runtime::Task<void> answer(std::shared_ptr<Connection> connection, std::shared_ptr<Stream> stream,
                                    std::shared_ptr<Serving> serving, Log log);
  runtime::Task<void> close_all();

  std::unique_ptr<DatagramSocket> socket_;
  EndpointOptions options_;
  TlsContext tls_;
  runtime::Scope scope_;
  std::array<std::uint8_t, 32> reset_secret_{};  // the same after a restart
  std::array<std::uint8_t, 32> token_secret_{};
  std::vector<std::uint8_t> burst_;

  std::map<std::uint64_t, std::shared_ptr<Connection>> connections_;  // by serial number: iteration repeats itself
  std::uint64_t next_serial_ = 1;
  std::unordered_map<CidKey, Route, CidHash> routes_;
  std::optional<std::pair<CidKey, Connection*>> last_route_;  // most datagrams go where the one before went
  std::optional<runtime::TimePoint> arrival_;
  std::list<Closed> closed_;
  std::vector<std::shared_ptr<Connection>> touched_;
  std::vector<std::uint64_t> stalled_;
  std::deque<Packet> unsent_;
  std::shared_ptr<Serving> serving_;
  std::size_t half_open_ = 0;  // server connections whose handshake is under way
  double answers_left_ = limits::kStatelessBurst;
  ngtcp2_tstamp answered_at_ = 0;

  runtime::Event started_;
  runtime::Event work_;     // something is touched, or the socket broke
  runtime::Event drained_;  // nothing is unsent
  bool begun_ = false;
  bool stopping_ = false;
  std::optional<Error> socket_error_;
};

}  // namespace peer::net
