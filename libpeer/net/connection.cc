#include "libpeer/net/connection.h"

#include <ngtcp2/ngtcp2_crypto.h>

#include <algorithm>
#include <map>
#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/net/burst_writer.h"
#include "libpeer/net/limits.h"
#include "libpeer/net/quic_callbacks.h"
#include "libpeer/net/quic_setup.h"

namespace peer::net {
namespace {

constexpr runtime::Duration kBlockedRecheck = std::chrono::milliseconds(10);
constexpr runtime::Duration kSoon = std::chrono::milliseconds(1);

// The kernel chooses the source address of a client's datagrams. For ngtcp2, the client's end of the path is fixed.
SocketAddress client_address(const SocketAddress& remote, const SocketAddress& bound) {
  return (remote.is_v4() ? SocketAddress::loopback(0) : SocketAddress{}).with_port(bound.port());
}

}  // namespace

Connection::Connection(EndpointCore& core, SocketAddress remote, std::optional<PeerId> expected)
    : core_(&core),
      server_(false),
      identity_{expected, std::nullopt, {}},
      path_(client_address(remote, core.local_address()), remote),
      meter_(core.executor().now()) {
  set_up(nullptr);
}

Connection::Connection(EndpointCore& core, const ClientInitial& initial)
    : core_(&core), server_(true), path_(initial.local, initial.remote), meter_(core.executor().now()) {
  set_up(&initial);
}

Connection::~Connection() { PEER_CHECK(is_over() && !scope); }

void Connection::set_up(const ClientInitial* initial) {
  standing.busy_at = core_->executor().now();
  scope.emplace(core_->scope(), (server_ ? "connection from " : "connection to ") + remote().to_string());
  tls_.emplace(server_ ? core_->tls().server() : core_->tls().client(), server_, this, &QuicCallbacks::get);
  const ngtcp2_callbacks callbacks = QuicCallbacks::table(server_);
  const QuicOrigin origin{callbacks, core_->options(), path_.native(), core_->now(), this, standing.memory.native()};
  const QuicSetup setup =
      initial == nullptr ? make_quic_client(origin)
                         : make_quic_server(origin, core_->acceptor().replies(), initial->header, initial->original);
  quic_ = setup.quic;
  for (const ngtcp2_cid& cid : setup.ids) core_->ids().add(cid, *this);
  ngtcp2_conn_set_tls_native_handle(quic_, tls_->native());
}

void Connection::handshake_completed() {
  Result<std::optional<PeerId>> shown = tls_->peer();
  if (!shown) {
    return close(CloseReason::transport(NGTCP2_CRYPTO_ERROR | 42 /* bad_certificate */, std::move(shown.error())));
  }
  identity_.proven = *shown;
  if (identity_.expected && identity_.proven != identity_.expected) {
    const std::string found = identity_.proven ? "peer " + identity_.proven->brief() : "a peer without a certificate";
    return close_http(NGHTTP3_H3_NO_ERROR, {ErrorCode::refused, remote().to_string() + " is " + found + ", expected " +
                                                                    identity_.expected->brief()});
  }
  Result<ChannelBinding> binding = tls_->channel_binding();
  if (!binding) return close(CloseReason::transport(NGTCP2_INTERNAL_ERROR, std::move(binding.error())));
  identity_.binding = *binding;
  if (server_) core_->acceptor().handshake_ended();
  const auto& is_known = core_->options().is_known;
  if (server_ && identity_.proven && is_known && is_known(*identity_.proven)) core_->slots().accept(*this, true);
  standing.busy_at = core_->executor().now();
  settled.set();
}

int Connection::receive(const SocketAddress& local, const SocketAddress& remote, Ecn ecn,
                        std::span<const std::uint8_t> data) {
  if (is_over()) return 0;
  core_->touch(*this);
  if (ending_.close) return 0;
  const DatagramPath path(path_, server_ ? local : path_.local(), remote);
  const ngtcp2_pkt_info info{.ecn = static_cast<std::uint8_t>(ecn)};
  // A connection that was accepted in the middle of a burst began after the burst arrived. Its clock must not go back.
  const ngtcp2_tstamp at = std::max(quic_time(core_->arrival()), ngtcp2_conn_get_timestamp(quic_));
  standing.memory.set_reading(true);
  const int result = ngtcp2_conn_read_pkt(quic_, &path.native(), &info, data.data(), data.size(), at);
  standing.memory.set_reading(false);
  switch (result) {
    case 0: check_memory(); break;
    case NGTCP2_ERR_DRAINING: finish(error_of_remote_close(quic_, path_.remote().to_string()), {}, true); break;
    case NGTCP2_ERR_RETRY:
    case NGTCP2_ERR_DROP_CONN:
      finish({ErrorCode::invalid, path_.remote().to_string() + ": the first packet does not start a handshake"}, {},
             false);
      break;
    default: close_library(result);
  }
  return result;
}

void Connection::check_memory() {
  const std::size_t used = standing.memory.received();
  if (used <= limits::kReceiveOverhead) return;
  std::uint64_t window = core_->options().connection_window;
  if (server_) window = standing.window_grown ? limits::kSessionConnectionWindow : limits::kRequestConnectionWindow;
  if (used <= QuicMemory::limit(window, meter_.read(quic_).bytes_out)) return;
  close(CloseReason::transport(NGTCP2_INTERNAL_ERROR,
                               {ErrorCode::invalid, remote().to_string() + ": the peer sent too many fragments"}));
}

void Connection::close_library(int code) {
  if (ending_.close) return;  // a callback has set the reason
  close(CloseReason::library(quic_, code, remote().to_string()));
}

void Connection::close_http(std::uint64_t code, Error local, std::optional<std::string_view> reason) {
  const std::string text(reason.value_or(local.message));
  close(CloseReason::http(code, std::move(local), text));
}

void Connection::close(CloseReason reason) {
  if (is_over() || ending_.close) return;
  ending_.close = std::move(reason);
  core_->schedule(*this);
}

// Ends the connection: destroys the objects of ngtcp2, nghttp3 and TLS, leaves the last packet to the table of
// connection ids, and detaches the streams.
void Connection::finish(Error error, std::vector<std::uint8_t> last_packet, bool linger) {
  PEER_CHECK(!is_over());
  static_cast<void>(meter_.read(quic_));
  ending_.error = std::move(error);
  core_->options().log.debug((server_ ? "connection from " : "connection to ") + remote().to_string() +
                             " ended: " + ending_.error.message);
  if (timer_) core_->executor().disarm(*timer_);
  timer_.reset();
  std::vector<std::shared_ptr<Http3Stream>> streams;
  if (http3_) {
    for (const auto& [id, stream] : http3_->streams()) streams.push_back(stream);
  }
  const runtime::Duration pto = from_quic(ngtcp2_conn_get_pto(quic_));
  http3_.reset();
  ngtcp2_conn_del(std::exchange(quic_, nullptr));
  tls_.reset();
  if (server_ && !settled.is_set()) core_->acceptor().handshake_ended();
  standing.slot = {};
  LastPacket last{std::move(last_packet), server_ ? path_.local() : SocketAddress{}, path_.remote()};
  core_->ids().retire(*this, std::move(last), linger ? 3 * pto : runtime::Duration::zero());
  core_ = nullptr;
  for (const auto& stream : streams) stream->detach(ending_.error);
  settled.set();
  over.set();
}

void Connection::stop_serving() {
  if (is_over() || ending_.close || !http3_) return;
  http3_->refuse_more();
  const std::map<std::int64_t, std::shared_ptr<Http3Stream>> streams = http3_->streams();
  for (const auto& [id, stream] : streams) {
    if (stream->stop) stream->stop->request();
  }
  core_->schedule(*this);
}

void Connection::close_when_idle() {
  if (is_over()) return;
  ending_.when_idle = true;
  core_->schedule(*this);
}

Result<std::shared_ptr<Http3Stream>> Connection::request(const RequestHead& head, bool has_body) {
  if (is_over()) return std::unexpected(ending_.error);
  if (ending_.close) return std::unexpected(ending_.close->local);
  PEER_CHECK(!server_ && http3_);
  core_->schedule(*this);
  return http3_->request(quic_, head, has_body, remote().to_string());
}

// The next six functions do nothing while the connection closes: after a failure, ngtcp2 and nghttp3 may only write
// the last packet, which the next flush sends.

void Connection::credit(Http3Stream& stream, std::size_t bytes) {
  if (ending_.close) return;
  if (stream.open()) ngtcp2_conn_extend_max_stream_offset(quic_, stream.id(), bytes);
  ngtcp2_conn_extend_max_offset(quic_, bytes);
  core_->schedule(*this);
}

void Connection::admit() {
  standing.admitted = true;
  if (!ending_.close) core_->slots().accept(*this, false);
}

void Connection::grow_window(Http3Stream& stream) {
  if (ending_.close) return;
  if (stream.open())
    ngtcp2_conn_extend_max_stream_offset(quic_, stream.id(), limits::kSessionWindow - limits::kRequestWindow);
  if (!std::exchange(standing.window_grown, true)) {
    ngtcp2_conn_extend_max_offset(quic_, limits::kSessionConnectionWindow - limits::kRequestConnectionWindow);
    core_->slots().accept(*this, false);
  }
  core_->schedule(*this);
}

void Connection::resume(Http3Stream& stream) {
  if (ending_.close) return;
  http3_->resume(stream);
  core_->schedule(*this);
}

Result<void> Connection::respond(Http3Stream& stream, const ResponseHead& head) {
  if (ending_.close) return std::unexpected(ending_.close->local);
  core_->schedule(*this);
  return http3_->respond(stream, head);
}

void Connection::abandoned(Http3Stream& stream) {
  if (ending_.close) return;
  core_->schedule(*this);
  ngtcp2_conn_extend_max_offset(quic_, stream.incoming().unreleased());
  if (!stream.open()) return http3_->forget(quic_, stream);
  const bool read_done = stream.incoming().ended();
  const bool write_done = stream.outgoing().finished() && !stream.broken_off;
  if (stream.local()) {
    if (!read_done || !write_done) http3_->shut(quic_, stream.id(), !read_done, true, NGHTTP3_H3_REQUEST_CANCELLED);
    return;
  }
  // A server that has sent its whole response does not need the rest of the request. That is not an error.
  const bool answered = stream.answering && write_done;
  if (!read_done)
    http3_->shut(quic_, stream.id(), true, false, answered ? NGHTTP3_H3_NO_ERROR : NGHTTP3_H3_REQUEST_CANCELLED);
  if (!answered) http3_->shut(quic_, stream.id(), false, true, NGHTTP3_H3_REQUEST_CANCELLED);
}

void Connection::discard(std::int64_t id, std::size_t bytes) {
  ngtcp2_conn_extend_max_stream_offset(quic_, id, bytes);
  ngtcp2_conn_extend_max_offset(quic_, bytes);
}

bool Connection::request_arrived(const std::shared_ptr<Http3Stream>& stream) {
  standing.requested = true;
  return !ending_.close && !ending_.when_idle && core_->server().begin_request(*this, stream);
}

void Connection::request_cancelled() {
  if (!ending_.close) core_->server().request_cancelled(*this);
}

void Connection::run_deferred() {
  if (http3_) http3_->run_deferred(quic_);
}

void Connection::flush() {
  if (is_over()) return;
  if (ending_.close) return send_close();
  run_deferred();
  if (ending_.close) return send_close();
  meter_.note_arrivals(quic_, core_->executor().now());
  if (!handle_expiry(core_->now())) return;
  bool more = false;
  if (core_->out().blocked()) {
    core_->out().wait_for_room(weak_from_this());
  } else {
    more = write();
  }
  if (ending_.close) return send_close();
  run_deferred();
  if (ending_.close) return send_close();
  if (ending_.when_idle && http3_ && http3_->streams().empty()) {
    close_http(NGHTTP3_H3_NO_ERROR, {ErrorCode::unreachable, "no longer serving"});
    return send_close();
  }
  check_idle(core_->executor().now());
  if (ending_.close) return send_close();
  arm(more);
}

runtime::TimePoint Connection::idle_deadline() const {
  const bool exempt = standing.slot.unaccepted.amount() == 0 || !settled.is_set() || (standing.requested && peer()) ||
                      !is_idle() || (peer() && core_->slots().has_session(*peer()));
  return exempt ? runtime::TimePoint::max() : standing.busy_at + limits::kIdleUnaccepted;
}

void Connection::check_idle(runtime::TimePoint now) {
  if (!is_idle()) standing.busy_at = now;
  if (now < idle_deadline()) return;
  close_http(NGHTTP3_H3_NO_ERROR, {ErrorCode::unreachable, "no request for 5 s"});
}

// Runs ngtcp2's timers. False if the connection is over.
bool Connection::handle_expiry(ngtcp2_tstamp now) {
  if (ngtcp2_conn_get_expiry(quic_) > now) return true;
  const int result = ngtcp2_conn_handle_expiry(quic_, now);
  const std::string who = remote().to_string();
  switch (result) {
    case 0: return true;
    case NGTCP2_ERR_IDLE_CLOSE:
      finish({ErrorCode::unreachable, who + ": the connection timed out, the peer sent nothing"}, {}, false);
      return false;
    case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
      finish({ErrorCode::unreachable, who + ": no answer; is peerd running there, and is its UDP port open?"}, {},
             false);
      return false;
    default:
      close_library(result);
      send_close();
      return false;
  }
}

// Returns whether there is more to send in the next turn.
bool Connection::write() {
  const BurstResult burst = write_burst(*core_, quic_, path_, server_, &QuicCallbacks::write_packet);
  if (burst.error != 0) {
    close_library(burst.error);
    return false;
  }
  if (burst.end == BurstEnd::blocked) core_->out().wait_for_room(weak_from_this());
  if (http3_ && http3_->sender().end_burst() != 0) return false;
  // Pacing counts from here. A burst is a millisecond's worth of data, so that timers need not be finer than that.
  if (burst.sent) ngtcp2_conn_update_pkt_tx_time(quic_, core_->now());
  return burst.end == BurstEnd::more;
}

void Connection::arm(bool more) {
  const runtime::TimePoint now = core_->executor().now();
  const ngtcp2_tstamp quic_now = core_->now();
  const ngtcp2_tstamp expiry = ngtcp2_conn_get_expiry(quic_);
  runtime::TimePoint at = runtime::TimePoint::max();
  if (expiry != UINT64_MAX) at = now + from_quic(expiry > quic_now ? expiry - quic_now : 0);
  if (more && at > now + kSoon) at = now;
  if (core_->out().blocked()) at = std::max(at, now + kBlockedRecheck);
  at = std::min(at, idle_deadline());
  // An early timer is harmless (it checks the expiry again), and re-arming it for every packet would cost more.
  if (timer_ && timer_->at <= at) return;
  if (timer_) core_->executor().disarm(*timer_);
  timer_.reset();
  if (at == runtime::TimePoint::max()) return;
  timer_ = core_->executor().arm(at, [this] {
    timer_.reset();
    core_->touch(*this);
    core_->flush_touched();
  });
}

void Connection::send_close() {
  std::vector<std::uint8_t> packet(NGTCP2_MAX_UDP_PAYLOAD_SIZE);
  ngtcp2_path_storage path;
  ngtcp2_path_storage_zero(&path);
  ngtcp2_pkt_info info{};
  CloseReason reason = std::move(*ending_.close);
  reason.error.reason = reinterpret_cast<std::uint8_t*>(reason.text.data());
  reason.error.reasonlen = reason.text.size();
  const ngtcp2_ssize size = ngtcp2_conn_write_connection_close(quic_, &path.path, &info, packet.data(), packet.size(),
                                                               &reason.error, core_->now());
  packet.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  if (!packet.empty()) {
    core_->out().send(server_ ? path_.local() : SocketAddress{}, path_.remote(), info.ecn, packet, packet.size());
  }
  finish(std::move(reason.local), std::move(packet), true);
}

}  // namespace peer::net
