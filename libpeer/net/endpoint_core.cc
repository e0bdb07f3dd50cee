#include "libpeer/net/endpoint_core.h"

#include <exception>
#include <stdexcept>
#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/base/fault.h"
#include "libpeer/net/connection.h"
#include "libpeer/net/connection_link.h"
#include "libpeer/net/limits.h"
#include "libpeer/runtime/sleep.h"

namespace peer::net {

EndpointCore::EndpointCore(runtime::Scope& parent, std::unique_ptr<DatagramSocket> socket, EndpointOptions options)
    : socket_(std::move(socket)),
      options_(std::move(options)),
      tls_(options_.identity, options_.present_certificate),
      scope_(parent, "endpoint"),
      out_(*socket_),
      ids_(scope_.executor()),
      acceptor_(*this, options_.identity),
      server_(*this),
      slots_(*this) {}

EndpointCore::~EndpointCore() { PEER_CHECK(connections_.empty()); }

runtime::TimePoint EndpointCore::arrival() {
  if (!turn_.arrival) turn_.arrival = executor().now();
  return *turn_.arrival;
}

runtime::Task<void> EndpointCore::run(runtime::CancellationToken token) {
  PEER_CHECK(phase_ == EndpointPhase::created);
  phase_ = EndpointPhase::running;
  socket_->start(*this);
  started_.set();
  std::exception_ptr failure;
  try {
    while (!token.requested() && !socket_error_) {
      co_await work_.wait(token);
      PEER_FAULT_POINT("endpoint");
      work_.reset();
      flush_touched();
    }
  } catch (const runtime::Cancelled&) {
    // The stop was requested.
  } catch (...) {
    failure = std::current_exception();  // rethrown below: the connections must be closed first
  }
  phase_ = EndpointPhase::stopping;
  auto closing = close_all();
  co_await closing;
  if (failure) std::rethrow_exception(failure);
  if (socket_error_) throw std::runtime_error("the UDP socket failed: " + socket_error_->message);
}

runtime::Task<void> EndpointCore::close_all() {
  started_.set();
  const std::map<std::uint64_t, std::shared_ptr<Connection>> all = connections_;
  for (const auto& [serial, connection] : all) {
    connection->close_http(NGHTTP3_H3_NO_ERROR, {ErrorCode::unreachable, "the endpoint is closing"});
  }
  flush_touched();
  if (out_.blocked() && !socket_error_) {
    out_.drained.reset();
    const runtime::CancellationToken never;
    runtime::Deadline deadline(executor(), limits::kDrain, never);
    try {
      co_await out_.drained.wait(deadline.token());
    } catch (const runtime::Cancelled&) {
      // The network is dead. The peers notice by their idle timeouts.
    }
  }
  scope_.request_stop();
  co_await scope_.join();
  ids_.clear();
  out_.clear();
  co_await socket_->close();
}

runtime::Task<Result<std::unique_ptr<Link>>> EndpointCore::dial(SocketAddress address, std::optional<PeerId> expected,
                                                                runtime::CancellationToken token) {
  co_await started_.wait(token);
  token.throw_if_requested();
  if (phase_ == EndpointPhase::stopping)
    co_return fail(ErrorCode::unreachable, "cannot connect to " + address.to_string() + ": the endpoint is closing");
  if (connections_.size() >= limits::kConnections) {
    co_return fail(ErrorCode::busy, "cannot connect to " + address.to_string() + ": too many connections are open");
  }
  const auto connection = std::make_shared<Connection>(*this, address, expected);
  add(connection);
  schedule(*connection);
  auto link = std::make_unique<ConnectionLink>(connection);  // closes the connection if this is cancelled
  co_await connection->settled.wait(token);
  if (connection->is_over()) co_return std::unexpected(connection->error());
  co_return std::unique_ptr<Link>(std::move(link));
}

void EndpointCore::add(const std::shared_ptr<Connection>& connection) {
  const std::uint64_t serial = next_serial_++;
  connections_.emplace(serial, connection);
  scope_.spawn(connection->scope->name(), join_handlers(*this, connection, serial));
}

// The parent task of a connection's handlers: joins them once the connection is over.
runtime::Task<void> EndpointCore::join_handlers(EndpointCore& core, std::shared_ptr<Connection> connection,
                                                std::uint64_t serial) {
  const runtime::CancellationToken never;
  co_await connection->over.wait(never);
  connection->scope->request_stop();
  co_await connection->scope->join();
  connection->scope.reset();
  core.connections_.erase(serial);
}

void EndpointCore::touch(Connection& connection) {
  if (std::exchange(connection.touched, true)) return;
  turn_.touched.push_back(connection.shared_from_this());
}

void EndpointCore::schedule(Connection& connection) {
  touch(connection);
  work_.set();
}

void EndpointCore::flush_touched() {
  while (!turn_.touched.empty()) {
    for (const std::shared_ptr<Connection>& connection : std::exchange(turn_.touched, {})) {
      connection->touched = false;
      connection->flush();
    }
  }
}

void EndpointCore::on_burst_end() {
  turn_.arrival.reset();
  flush_touched();
}

void EndpointCore::on_writable() {
  if (!out_.send_copies()) return;
  for (const std::weak_ptr<Connection>& waiting : out_.pop_waiting()) {
    if (const std::shared_ptr<Connection> connection = waiting.lock()) touch(*connection);
  }
  flush_touched();
}

void EndpointCore::on_socket_error(const Error& error) {
  socket_error_ = error;
  work_.set();
}

void EndpointCore::on_datagram(const SocketAddress& local, const SocketAddress& remote, Ecn ecn,
                               std::span<const std::uint8_t> data) {
  ngtcp2_version_cid ids;
  const int result = ngtcp2_pkt_decode_version_cid(&ids, data.data(), data.size(), kCidLength);
  if (result == NGTCP2_ERR_VERSION_NEGOTIATION) {
    const bool answered = data.size() >= NGTCP2_MAX_UDP_PAYLOAD_SIZE && phase_ != EndpointPhase::stopping;
    if (answered) acceptor_.replies().negotiate_version(ids, local, remote);
    return;
  }
  if (result != 0 || ids.dcidlen > NGTCP2_MAX_CIDLEN) return;
  const ConnectionIds::DatagramTarget target = ids_.find(ids.dcid, ids.dcidlen);
  if (target.live != nullptr) {
    target.live->receive(local, remote, ecn, data);
  } else if (target.repeat != nullptr) {
    const LastPacket& last = *target.repeat;
    if (!out_.blocked()) out_.send(last.local, last.remote, 0, last.data, last.data.size());
  } else if (!target.known && phase_ != EndpointPhase::stopping) {
    on_unknown_id(ids, local, remote, ecn, data);
  }
}

void EndpointCore::on_unknown_id(const ngtcp2_version_cid& ids, const SocketAddress& local, const SocketAddress& remote,
                                 Ecn ecn, std::span<const std::uint8_t> data) {
  if (options_.admit && !options_.admit(remote)) return;
  ngtcp2_pkt_hd header;
  if (ngtcp2_accept(&header, data.data(), data.size()) == 0) {
    acceptor_.accept(header, local, remote, ecn, data);
  } else if ((data[0] & 0x80U) == 0) {
    on_unknown_short_packet(ids, local, remote, ecn, data);
  }
}

// Either the sender still uses a connection that this side has lost, or the packet is a stateless reset: the sender has
// lost a connection that is live here.
void EndpointCore::on_unknown_short_packet(const ngtcp2_version_cid& ids, const SocketAddress& local,
                                           const SocketAddress& remote, Ecn ecn, std::span<const std::uint8_t> data) {
  if (!acceptor_.replies().may_answer()) return;
  for (const auto& [serial, connection] : connections_) {
    if (!connection->is_over() && connection->remote() == remote &&
        connection->receive(local, remote, ecn, data) == NGTCP2_ERR_DRAINING) {
      return;
    }
  }
  acceptor_.replies().reset(ids, local, remote, data.size());
}

}  // namespace peer::net
