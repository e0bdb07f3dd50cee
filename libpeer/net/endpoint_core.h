// EndpointCore: what the connections of an endpoint share: the socket, the connection ids, and the work of each turn.
//
// Loop: the endpoint's. Owns: the socket and every connection.
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "libpeer/net/acceptor.h"
#include "libpeer/net/connection_ids.h"
#include "libpeer/net/connection_slots.h"
#include "libpeer/net/endpoint.h"
#include "libpeer/net/quic_time.h"
#include "libpeer/net/request_server.h"
#include "libpeer/net/send_queue.h"
#include "libpeer/net/tls.h"
#include "libpeer/runtime/event.h"
#include "libpeer/runtime/scope.h"

namespace peer::net {

class Connection;

class EndpointCore final : public DatagramReceiver {
 public:
  EndpointCore(runtime::Scope& parent, std::unique_ptr<DatagramSocket> socket, EndpointOptions options);
  ~EndpointCore() override;

  // For the endpoint.
  runtime::Task<void> run(runtime::CancellationToken token);
  runtime::Task<Result<std::unique_ptr<Link>>> dial(SocketAddress address, std::optional<PeerId> expected,
                                                    runtime::CancellationToken token);
  const DatagramSocket& socket() const noexcept { return *socket_; }
  SocketAddress local_address() const { return socket_->local_address(); }

  // For connections, the acceptor and the request server.
  runtime::Executor& executor() const noexcept { return scope_.executor(); }
  runtime::Scope& scope() noexcept { return scope_; }
  const EndpointOptions& options() const noexcept { return options_; }
  const TlsContext& tls() const noexcept { return tls_; }
  Random& random() const noexcept { return *options_.random; }
  ConnectionIds& ids() noexcept { return ids_; }
  SendQueue& out() noexcept { return out_; }
  Acceptor& acceptor() noexcept { return acceptor_; }
  RequestServer& server() noexcept { return server_; }
  ConnectionSlots& slots() noexcept { return slots_; }
  ngtcp2_tstamp now() const { return quic_time(executor().now()); }
  /// When the current burst of datagrams arrived. The clock is read once for all of them.
  runtime::TimePoint arrival();

  /// Live connections, in the order in which they began.
  const std::map<std::uint64_t, std::shared_ptr<Connection>>& connections() const noexcept { return connections_; }
  void add(const std::shared_ptr<Connection>& connection);
  /// Adds the connection to the list for flush_touched(), which the caller must call in this turn.
  void touch(Connection& connection);
  /// Adds the connection to the list, and makes run() call flush_touched().
  void schedule(Connection& connection);
  void flush_touched();

  void on_datagram(const SocketAddress& local, const SocketAddress& remote, Ecn ecn,
                   std::span<const std::uint8_t> data) override;
  void on_burst_end() override;
  void on_writable() override;
  void on_socket_error(const Error& error) override;

 private:
  enum class EndpointPhase { created, running, stopping };
  /// What belongs to the current turn of the loop.
  struct LoopTurn {
    std::vector<std::shared_ptr<Connection>> touched;  ///< connections to flush
    std::optional<runtime::TimePoint> arrival;         ///< of the burst; empty: not read from the clock yet
  };

  void on_unknown_id(const ngtcp2_version_cid& ids, const SocketAddress& local, const SocketAddress& remote, Ecn ecn,
                     std::span<const std::uint8_t> data);
  void on_unknown_short_packet(const ngtcp2_version_cid& ids, const SocketAddress& local, const SocketAddress& remote,
                               Ecn ecn, std::span<const std::uint8_t> data);
  static runtime::Task<void> join_handlers(EndpointCore& core, std::shared_ptr<Connection> connection,
                                           std::uint64_t serial);
  runtime::Task<void> close_all();

  std::unique_ptr<DatagramSocket> socket_;
  EndpointOptions options_;
  TlsContext tls_;
  runtime::Scope scope_;
  SendQueue out_;
  ConnectionIds ids_;
  Acceptor acceptor_;
  RequestServer server_;
  ConnectionSlots slots_;

  std::map<std::uint64_t, std::shared_ptr<Connection>> connections_;  // by serial number: a repeatable order
  std::uint64_t next_serial_ = 1;
  LoopTurn turn_;

  EndpointPhase phase_ = EndpointPhase::created;
  std::optional<Error> socket_error_;
  runtime::Event started_;
  runtime::Event work_;  // a connection was touched, or the socket failed
};

}  // namespace peer::net
