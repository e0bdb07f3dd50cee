#include "net/connection.h"

#include <ngtcp2/ngtcp2_crypto.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "base/check.h"
#include "net/limits.h"

namespace peer::net {
namespace {

constexpr rt::Duration kInitialRtt = std::chrono::milliseconds(30);  // a local network, with room for a busy peer
constexpr rt::Duration kMaxAckDelay = std::chrono::milliseconds(2);
constexpr std::size_t kAckThreshold = 10;  // more would stall slow start, whose first window is ten packets
constexpr rt::Duration kBlockedRecheck = std::chrono::milliseconds(10);
constexpr rt::Duration kSoon = std::chrono::milliseconds(1);
constexpr std::uint64_t kControlWindow = 64 * 1024;  // of control streams, credited at once
constexpr std::uint64_t kUniStreams = 8;
constexpr std::array<std::uint16_t, 3> kProbes{1350, 1452, 8952};

ngtcp2_duration nanoseconds(rt::Duration d) {
  return static_cast<ngtcp2_duration>(std::chrono::duration_cast<std::chrono::nanoseconds>(d).count());
}

ngtcp2_path path_of(sockaddr_storage& local, sockaddr_storage& remote) {
  return {.local = {reinterpret_cast<sockaddr*>(&local), sizeof(sockaddr_in6)},
          .remote = {reinterpret_cast<sockaddr*>(&remote), sizeof(sockaddr_in6)},
          .user_data = nullptr};
}

// What a remote says may end in a log or on a terminal.
std::string printable(std::span<const std::uint8_t> text) {
  std::string out;
  for (const std::uint8_t c : text.first(std::min(text.size(), limits::kReason))) {
    out += c >= 0x20 && c < 0x7f ? static_cast<char>(c) : '?';
  }
  return out;
}

}  // namespace

struct Connection::Callbacks {
  static Connection& self(void* user) { return *static_cast<Connection*>(user); }

  static ngtcp2_conn* get(ngtcp2_crypto_conn_ref* reference) { return self(reference->user_data).quic_; }

  static void random(std::uint8_t* out, std::size_t size, const ngtcp2_rand_ctx* context) {
    static_cast<Random*>(context->native_handle)->fill({out, size});
  }

  static int new_cid(ngtcp2_conn*, ngtcp2_cid* cid, ngtcp2_stateless_reset_token* token, std::size_t length,
                     void* user) {
    Connection& me = self(user);
    cid->datalen = length;
    me.core_->random().fill({cid->data, length});
    const std::span<const std::uint8_t> secret = me.core_->reset_secret();
    if (ngtcp2_crypto_generate_stateless_reset_token(token->data, secret.data(), secret.size(), cid) != 0) {
      return NGTCP2_ERR_CALLBACK_FAILURE;
    }
    me.core_->route(*cid, me);
    me.cids_.push_back(*cid);
    return 0;
  }

  static int remove_cid(ngtcp2_conn*, const ngtcp2_cid* cid, void* user) {
    Connection& me = self(user);
    me.core_->unroute(*cid);
    std::erase_if(me.cids_, [&](const ngtcp2_cid& c) { return ngtcp2_cid_eq(&c, cid) != 0; });
    return 0;
  }

  static int handshake_completed(ngtcp2_conn*, void* user) {
    self(user).handshake_completed();
    return 0;
  }

  // HTTP/3 begins as soon as 1-RTT packets can be: the client's with the key to read, the server's with the key to
  // write.
  static int key_installed(ngtcp2_conn* quic, ngtcp2_encryption_level level, void* user) {
    Connection& me = self(user);
    if (level != NGTCP2_ENCRYPTION_LEVEL_1RTT) return 0;
    me.http3_.emplace(me, me.server_);
    if (!me.http3_->open(quic)) {
      me.close_http(NGHTTP3_H3_GENERAL_PROTOCOL_ERROR,
                    {ErrorCode::invalid, "the peer allows no HTTP/3 control streams"});
      return NGTCP2_ERR_CALLBACK_FAILURE;
    }
    return 0;
  }

  static int stream_data(ngtcp2_conn* quic, std::uint32_t flags, std::int64_t id, std::uint64_t,
                         const std::uint8_t* data, std::size_t size, void* user, void*) {
    Connection& me = self(user);
    return me.http3_ ? me.http3_->receive(quic, id, {data, size}, (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0) : 0;
  }

  static int acked(ngtcp2_conn*, std::int64_t id, std::uint64_t, std::uint64_t size, void* user, void*) {
    Connection& me = self(user);
    return me.http3_ ? me.http3_->acknowledged(id, size) : 0;
  }

  static int stream_close(ngtcp2_conn* quic, std::uint32_t flags, std::int64_t id, std::uint64_t code, void* user,
                          void*) {
    Connection& me = self(user);
    const bool has_code = (flags & NGTCP2_STREAM_CLOSE_FLAG_APP_ERROR_CODE_SET) != 0;
    return me.http3_ ? me.http3_->closed(quic, id, has_code, code) : 0;
  }

  static int stream_reset(ngtcp2_conn*, std::int64_t id, std::uint64_t, std::uint64_t code, void* user, void*) {
    Connection& me = self(user);
    return me.http3_ ? me.http3_->reset(id, code) : 0;
  }

  static int streams_allowed(ngtcp2_conn*, std::uint64_t total, void* user) {
    Connection& me = self(user);
    if (me.http3_ && me.server_) me.http3_->streams_allowed(total);
    return 0;
  }

  static int stream_window(ngtcp2_conn*, std::int64_t id, std::uint64_t, void* user, void*) {
    Connection& me = self(user);
    return me.http3_ ? me.http3_->unblocked(id) : 0;
  }

  static ngtcp2_ssize write_packet(ngtcp2_conn* quic, ngtcp2_path* path, ngtcp2_pkt_info* info, std::uint8_t* out,
                                   std::size_t size, ngtcp2_tstamp now, void* user) {
    Connection& me = self(user);
    if (me.http3_) return me.http3_->write(quic, path, info, out, size, now);
    return ngtcp2_conn_writev_stream(quic, path, info, out, size, nullptr, 0, -1, nullptr, 0, now);
  }
};

Connection::Connection(Core& core, SocketAddress remote, std::optional<PeerId> expected)
    : core_(&core), server_(false), expected_(expected), remote_(remote) {
  // The kernel chooses the source address of each datagram; for ngtcp2 this end of a client's path never changes.
  local_ = (remote.is_v4() ? SocketAddress::loopback(0) : SocketAddress{}).with_port(core.local_address().port());
  set_up(nullptr);
}

Connection::Connection(Core& core, const Accept& accept)
    : core_(&core), server_(true), local_(accept.local), remote_(accept.remote) {
  set_up(&accept);
}

void Connection::set_up(const Accept* accept) {
  const EndpointOptions& options = core_->options();
  scope.emplace(core_->scope(), (server_ ? "connection from " : "connection to ") + remote_.to_string());
  last_received_ = core_->executor().now();
  tls_.emplace(server_ ? core_->tls().server() : core_->tls().client(), server_, this, &Callbacks::get);

  ngtcp2_callbacks callbacks{};
  callbacks.client_initial = &ngtcp2_crypto_client_initial_cb;
  callbacks.recv_client_initial = &ngtcp2_crypto_recv_client_initial_cb;
  callbacks.recv_crypto_data = &ngtcp2_crypto_recv_crypto_data_cb;
  callbacks.encrypt = &ngtcp2_crypto_encrypt_cb;
  callbacks.decrypt = &ngtcp2_crypto_decrypt_cb;
  callbacks.hp_mask = &ngtcp2_crypto_hp_mask_cb;
  callbacks.recv_retry = &ngtcp2_crypto_recv_retry_cb;
  callbacks.update_key = &ngtcp2_crypto_update_key_cb;
  callbacks.delete_crypto_aead_ctx = &ngtcp2_crypto_delete_crypto_aead_ctx_cb;
  callbacks.delete_crypto_cipher_ctx = &ngtcp2_crypto_delete_crypto_cipher_ctx_cb;
  callbacks.get_path_challenge_data2 = &ngtcp2_crypto_get_path_challenge_data2_cb;
  callbacks.version_negotiation = &ngtcp2_crypto_version_negotiation_cb;
  callbacks.rand = &Callbacks::random;
  callbacks.get_new_connection_id2 = &Callbacks::new_cid;
  callbacks.remove_connection_id = &Callbacks::remove_cid;
  callbacks.handshake_completed = &Callbacks::handshake_completed;
  (server_ ? callbacks.recv_tx_key : callbacks.recv_rx_key) = &Callbacks::key_installed;
  callbacks.recv_stream_data = &Callbacks::stream_data;
  callbacks.acked_stream_data_offset = &Callbacks::acked;
  callbacks.stream_close = &Callbacks::stream_close;
  callbacks.stream_reset = &Callbacks::stream_reset;
  callbacks.extend_max_remote_streams_bidi = &Callbacks::streams_allowed;
  callbacks.extend_max_stream_data = &Callbacks::stream_window;

  std::vector<std::uint16_t> probes;
  for (const std::uint16_t probe : kProbes) {
    if (probe < options.largest_datagram) probes.push_back(probe);
  }
  if (options.largest_datagram > NGTCP2_MAX_UDP_PAYLOAD_SIZE) probes.push_back(options.largest_datagram);

  ngtcp2_settings settings;
  ngtcp2_settings_default(&settings);
  settings.initial_ts = core_->now();
  settings.initial_rtt = nanoseconds(kInitialRtt);
  settings.rand_ctx.native_handle = &core_->random();
  settings.handshake_timeout = nanoseconds(kDialTimeout);
  settings.ack_thresh = kAckThreshold;
  settings.max_window = 0;  // windows are fixed: see EndpointOptions
  settings.max_stream_window = 0;
  settings.max_tx_udp_payload_size = std::max<std::size_t>(options.largest_datagram, NGTCP2_MAX_UDP_PAYLOAD_SIZE);
  settings.pmtud_probes = probes.data();
  settings.pmtud_probeslen = probes.size();
  settings.no_pmtud = probes.empty() ? 1 : 0;

  ngtcp2_transport_params params;
  ngtcp2_transport_params_default(&params);
  params.initial_max_stream_data_bidi_local = options.stream_window;
  params.initial_max_stream_data_bidi_remote = options.stream_window;
  params.initial_max_stream_data_uni = kControlWindow;
  params.initial_max_data = options.connection_window;
  params.initial_max_streams_bidi = server_ ? limits::kStreams : 0;
  params.initial_max_streams_uni = kUniStreams;
  params.max_idle_timeout = nanoseconds(options.idle_timeout);
  params.max_ack_delay = nanoseconds(kMaxAckDelay);

  local_.to_native(AF_INET6, native_local_);
  remote_.to_native(AF_INET6, native_remote_);
  const ngtcp2_path path = path_of(native_local_, native_remote_);
  ngtcp2_cid scid{};
  scid.datalen = kCidLength;
  core_->random().fill({scid.data, scid.datalen});
  int result = 0;
  if (accept != nullptr) {
    const ngtcp2_pkt_hd& header = accept->header;
    params.original_dcid = accept->original.value_or(header.dcid);
    params.original_dcid_present = 1;
    if (accept->original) {
      params.retry_scid = header.dcid;
      params.retry_scid_present = 1;
      settings.token = header.token;
      settings.tokenlen = header.tokenlen;
      settings.token_type = NGTCP2_TOKEN_TYPE_RETRY;
    }
    const std::span<const std::uint8_t> secret = core_->reset_secret();
    params.stateless_reset_token_present = 1;
    PEER_CHECK(ngtcp2_crypto_generate_stateless_reset_token(params.stateless_reset_token, secret.data(), secret.size(),
                                                            &scid) == 0);
    result = ngtcp2_conn_server_new(&quic_, &header.scid, &scid, &path, header.version, &callbacks, &settings, &params,
                                    nullptr, this);
    cids_.push_back(header.dcid);
  } else {
    ngtcp2_cid dcid{};
    dcid.datalen = NGTCP2_MIN_INITIAL_DCIDLEN + kCidLength;
    core_->random().fill({dcid.data, dcid.datalen});
    result = ngtcp2_conn_client_new(&quic_, &dcid, &scid, &path, NGTCP2_PROTO_VER_V1, &callbacks, &settings, &params,
                                    nullptr, this);
  }
  if (result != 0) throw std::bad_alloc();
  cids_.push_back(scid);
  for (const ngtcp2_cid& cid : cids_) core_->route(cid, *this);
  ngtcp2_conn_set_tls_native_handle(quic_, tls_->native());
}

Connection::~Connection() { PEER_CHECK(over_ && !scope); }

void Connection::handshake_completed() {
  Result<std::optional<PeerId>> shown = tls_->peer();
  if (!shown) return close_quic(NGTCP2_CRYPTO_ERROR | 42 /* bad_certificate */, std::move(shown.error()));
  peer_ = *shown;
  if (expected_ && peer_ != expected_) {
    const std::string found = peer_ ? peer_->brief() : std::string("one without a certificate");
    return close_http(NGHTTP3_H3_NO_ERROR, {ErrorCode::refused, remote_.to_string() + " is peer " + found + ", not " +
                                                                    expected_->brief() + " as expected"});
  }
  ready_ = true;
  if (server_) core_->handshake_done();
  settled.set();
}

int Connection::receive(const SocketAddress& local, const SocketAddress& remote, Ecn ecn,
                        std::span<const std::uint8_t> data) {
  if (over_) return 0;
  core_->touch(*this);
  if (closing_) return 0;
  sockaddr_storage other_local;
  sockaddr_storage other_remote;
  ngtcp2_path path = path_of(native_local_, native_remote_);
  if (remote != remote_) {
    remote.to_native(AF_INET6, other_remote);
    path.remote.addr = reinterpret_cast<sockaddr*>(&other_remote);
  }
  if (server_ && local != local_) {
    local.to_native(AF_INET6, other_local);
    path.local.addr = reinterpret_cast<sockaddr*>(&other_local);
  }
  const ngtcp2_pkt_info info{.ecn = static_cast<std::uint8_t>(ecn)};
  const int result =
      ngtcp2_conn_read_pkt(quic_, &path, &info, data.data(), data.size(), Core::to_quic(core_->arrival()));
  switch (result) {
    case 0:
      break;
    case NGTCP2_ERR_DRAINING:
      finish(remote_close(), {}, true);
      break;
    case NGTCP2_ERR_RETRY:
    case NGTCP2_ERR_DROP_CONN:
      finish({ErrorCode::invalid, "the handshake began with something else"}, {}, false);
      break;
    default:
      close_library(result);
  }
  return result;
}

void Connection::close_library(int code) {
  if (closing_) return;  // a callback has said why
  Closing closing{};
  if (code == NGTCP2_ERR_CRYPTO) {
    const std::uint8_t alert = ngtcp2_conn_get_tls_alert(quic_);
    ngtcp2_ccerr_set_tls_alert(&closing.error, alert, nullptr, 0);
    closing.local = {ErrorCode::invalid,
                     remote_.to_string() + ": the TLS handshake failed (alert " + std::to_string(alert) + ")"};
  } else {
    ngtcp2_ccerr_set_liberr(&closing.error, code, nullptr, 0);
    const bool version = code == NGTCP2_ERR_RECV_VERSION_NEGOTIATION;
    closing.local = {version ? ErrorCode::refused : ErrorCode::invalid,
                     remote_.to_string() + ": the peer broke QUIC: " + ngtcp2_strerror(code)};
  }
  close(std::move(closing));
}

void Connection::close_http(std::uint64_t code, Error local, std::optional<std::string_view> reason) {
  Closing closing{};
  closing.reason = reason.value_or(local.message).substr(0, limits::kReason);
  ngtcp2_ccerr_set_application_error(&closing.error, code, nullptr, 0);
  closing.local = std::move(local);
  close(std::move(closing));
}

void Connection::close_quic(std::uint64_t code, Error local) {
  Closing closing{};
  ngtcp2_ccerr_set_transport_error(&closing.error, code, nullptr, 0);
  closing.local = std::move(local);
  close(std::move(closing));
}

void Connection::close(Closing closing) {
  if (over_ || closing_) return;
  closing_ = std::move(closing);
  core_->schedule(*this);
}

Error Connection::remote_close() const {
  const ngtcp2_ccerr* error = ngtcp2_conn_get_ccerr(quic_);
  const std::string who = remote_.to_string();
  const std::string reason = printable({error->reason, error->reasonlen});
  if (error->type == NGTCP2_CCERR_TYPE_TRANSPORT) {
    if ((error->error_code & ~0xffULL) == NGTCP2_CRYPTO_ERROR) {
      return {ErrorCode::refused,
              who + ": the peer refused our TLS handshake (alert " + std::to_string(error->error_code & 0xff) + ")"};
    }
    if (error->error_code == NGTCP2_CONNECTION_REFUSED) {
      return {ErrorCode::refused, who + ": the peer takes no connections now"};
    }
    if (error->error_code != NGTCP2_NO_ERROR) {
      return {ErrorCode::unreachable, who + ": the peer closed the connection (QUIC error " +
                                          std::to_string(error->error_code) + ") " + reason};
    }
  }
  if (reason.empty()) return {ErrorCode::unreachable, who + ": the peer closed the connection"};
  return {ErrorCode::unreachable, who + ": the peer closed the connection: " + reason};
}

// Takes what callbacks left over; ngtcp2 and nghttp3 may be entered again.
void Connection::settle() {
  while (!later_.empty()) {
    std::vector<std::move_only_function<void()>> work = std::exchange(later_, {});
    for (auto& fn : work) fn();
  }
}

// Only packets that the peer's keys prove count as a sign of life.
void Connection::note_arrivals() {
  ngtcp2_conn_info info;
  ngtcp2_conn_get_conn_info(quic_, &info);
  if (std::exchange(packets_received_, info.pkt_recv) != info.pkt_recv) last_received_ = core_->executor().now();
}

void Connection::flush() {
  if (over_) return;
  if (closing_) return send_close();
  settle();
  if (closing_) return send_close();
  const ngtcp2_tstamp now = core_->now();
  note_arrivals();
  if (ngtcp2_conn_get_expiry(quic_) <= now) {
    switch (const int result = ngtcp2_conn_handle_expiry(quic_, now)) {
      case 0:
        break;
      case NGTCP2_ERR_IDLE_CLOSE:
        return finish({ErrorCode::unreachable, remote_.to_string() + ": nothing was heard for too long"}, {}, false);
      case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
        return finish({ErrorCode::unreachable,
                       remote_.to_string() + ": no answer; is peerd running there and its UDP port open?"},
                      {}, false);
      default:
        close_library(result);
        return send_close();
    }
  }
  bool more = false;
  if (core_->blocked()) {
    core_->stall(*this);
  } else {
    more = write();
  }
  if (closing_) return send_close();
  settle();
  if (closing_) return send_close();
  if (close_when_idle_ && http3_ && http3_->streams().empty()) {
    close_http(NGHTTP3_H3_NO_ERROR, {ErrorCode::unreachable, "no longer serving"});
    return send_close();
  }
  arm(more);
}

// True if it stopped only to let others have their turn.
bool Connection::write() {
  const std::span<std::uint8_t> out = core_->burst();
  const std::size_t segments = core_->burst_segments();
  std::size_t done = 0;
  std::size_t limit = limits::kFlushMinimum;
  bool more = false;
  for (;;) {
    ngtcp2_path_storage path;
    ngtcp2_path_storage_zero(&path);
    ngtcp2_pkt_info info{};
    std::size_t segment = 0;
    const ngtcp2_ssize size = ngtcp2_conn_write_aggregate_pkt2(
        quic_, &path.path, &info, out.data(), out.size(), &segment, &Callbacks::write_packet, segments, core_->now());
    if (size < 0) {
      close_library(static_cast<int>(size));
      return false;
    }
    if (size == 0) break;
    if (std::memcmp(path.path.remote.addr, &native_remote_, sizeof(sockaddr_in6)) != 0) {
      std::memcpy(&native_remote_, path.path.remote.addr, sizeof(sockaddr_in6));
      remote_ = SocketAddress::from_native(path.path.remote.addr, sizeof(sockaddr_in6));
    }
    if (std::memcmp(path.path.local.addr, &native_local_, sizeof(sockaddr_in6)) != 0) {
      std::memcpy(&native_local_, path.path.local.addr, sizeof(sockaddr_in6));
      local_ = SocketAddress::from_native(path.path.local.addr, sizeof(sockaddr_in6));
    }
    core_->transmit(server_ ? local_ : SocketAddress{}, remote_, info.ecn, out.first(static_cast<std::size_t>(size)),
                    segment);
    done += static_cast<std::size_t>(size);
    if (core_->blocked()) {
      core_->stall(*this);
      break;
    }
    if (done >= limit) {
      limit = burst_limit();
      if (done >= limit) {
        more = true;
        break;
      }
    }
  }
  // Pacing counts from here: a burst is a millisecond's worth, so that timers need not be finer than that.
  if (done > 0) ngtcp2_conn_update_pkt_tx_time(quic_, core_->now());
  return more;
}

std::size_t Connection::burst_limit() const {
  ngtcp2_conn_info info;
  ngtcp2_conn_get_conn_info(quic_, &info);
  const double rtt = static_cast<double>(std::max<ngtcp2_duration>(info.smoothed_rtt, NGTCP2_MICROSECONDS));
  const double millisecond = static_cast<double>(info.cwnd) * static_cast<double>(NGTCP2_MILLISECONDS) / rtt;
  return static_cast<std::size_t>(
      std::clamp(millisecond, static_cast<double>(limits::kFlushMinimum), static_cast<double>(limits::kFlushMaximum)));
}

void Connection::arm(bool more) {
  const rt::TimePoint now = core_->executor().now();
  const ngtcp2_tstamp quic_now = core_->now();
  const ngtcp2_tstamp expiry = ngtcp2_conn_get_expiry(quic_);
  rt::TimePoint at = rt::TimePoint::max();
  if (expiry != UINT64_MAX) {
    at = now +
         std::chrono::duration_cast<rt::Duration>(std::chrono::nanoseconds(expiry > quic_now ? expiry - quic_now : 0));
  }
  if (more && at > now + kSoon) at = now;
  if (core_->blocked()) at = std::max(at, now + kBlockedRecheck);
  // One that fires early only looks again; moving it at each packet would cost more.
  if (timer_ && timer_->at <= at) return;
  if (timer_) core_->executor().disarm(*timer_);
  timer_.reset();
  if (at == rt::TimePoint::max()) return;
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
  Closing closing = std::move(*closing_);
  closing.error.reason = reinterpret_cast<std::uint8_t*>(closing.reason.data());
  closing.error.reasonlen = closing.reason.size();
  const ngtcp2_ssize size = ngtcp2_conn_write_connection_close(quic_, &path.path, &info, packet.data(), packet.size(),
                                                               &closing.error, core_->now());
  packet.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  if (!packet.empty()) core_->transmit(server_ ? local_ : SocketAddress{}, remote_, info.ecn, packet, packet.size());
  finish(std::move(closing.local), std::move(packet), true);
}

void Connection::finish(Error error, std::vector<std::uint8_t> last_packet, bool linger) {
  PEER_CHECK(!over_);
  last_stats_ = stats();
  over_ = true;
  error_ = std::move(error);
  core_->options().log.debug((server_ ? "from " : "to ") + remote_.to_string() + ": ended: " + error_.message);
  if (timer_) core_->executor().disarm(*timer_);
  timer_.reset();
  later_.clear();
  std::vector<std::shared_ptr<Stream>> streams;
  if (http3_) {
    for (const auto& [id, stream] : http3_->streams()) streams.push_back(stream);
  }
  const auto pto = std::chrono::duration_cast<rt::Duration>(std::chrono::nanoseconds(ngtcp2_conn_get_pto(quic_)));
  http3_.reset();
  ngtcp2_conn_del(std::exchange(quic_, nullptr));
  tls_.reset();
  core_->retire(*this, cids_, std::move(last_packet), server_ ? local_ : SocketAddress{}, remote_,
                linger ? 3 * pto : rt::Duration::zero());
  core_ = nullptr;
  for (const auto& stream : streams) stream->detach(error_);
  settled.set();
  over.set();
}

void Connection::stop_serving() {
  if (over_ || closing_ || !http3_) return;
  http3_->refuse_more();
  const std::map<std::int64_t, std::shared_ptr<Stream>> streams = http3_->streams();
  for (const auto& [id, stream] : streams) {
    if (stream->stop) stream->stop->request();
  }
  core_->schedule(*this);
}

void Connection::close_when_idle() {
  if (over_) return;
  close_when_idle_ = true;
  core_->schedule(*this);
}

LinkStats Connection::stats() const {
  if (quic_ == nullptr) return last_stats_;
  ngtcp2_conn_info info;
  ngtcp2_conn_get_conn_info(quic_, &info);
  LinkStats stats;
  stats.smoothed_rtt = std::chrono::duration_cast<rt::Duration>(std::chrono::nanoseconds(info.smoothed_rtt));
  stats.bytes_in = info.bytes_recv;
  stats.bytes_out = info.bytes_sent;
  stats.packets_lost = info.pkt_lost;
  stats.last_received = last_received_;
  return stats;
}

Result<std::shared_ptr<Stream>> Connection::request(const RequestHead& head, bool has_body) {
  if (over_) return std::unexpected(error_);
  if (closing_) return std::unexpected(closing_->local);
  PEER_CHECK(!server_ && http3_);
  core_->schedule(*this);
  return http3_->request(quic_, head, has_body, remote_.to_string());
}

// After a failure HTTP/3 and QUIC are good for the last packet only, which the next flush sends.
void Connection::credit(Stream& stream, std::size_t bytes) {
  if (closing_) return;
  if (stream.open()) ngtcp2_conn_extend_max_stream_offset(quic_, stream.id(), bytes);
  ngtcp2_conn_extend_max_offset(quic_, bytes);
  core_->schedule(*this);
}

void Connection::resume(Stream& stream) {
  if (closing_) return;
  http3_->resume(stream);
  core_->schedule(*this);
}

Result<void> Connection::respond(Stream& stream, const ResponseHead& head) {
  if (closing_) return std::unexpected(closing_->local);
  core_->schedule(*this);
  return http3_->respond(stream, head);
}

void Connection::abandoned(Stream& stream, bool read_done, bool write_done) {
  if (closing_) return;
  core_->schedule(*this);
  ngtcp2_conn_extend_max_offset(quic_, stream.unreleased());
  if (!stream.open()) return http3_->forget(quic_, stream);
  if (stream.local()) {
    if (!read_done || !write_done) http3_->shut(quic_, stream.id(), !read_done, true, NGHTTP3_H3_REQUEST_CANCELLED);
    return;
  }
  // A server that has answered in full wants no more of the request, which is no error.
  const bool answered = stream.answering && write_done;
  if (!read_done)
    http3_->shut(quic_, stream.id(), true, false, answered ? NGHTTP3_H3_NO_ERROR : NGHTTP3_H3_REQUEST_CANCELLED);
  if (!answered) http3_->shut(quic_, stream.id(), false, true, NGHTTP3_H3_REQUEST_CANCELLED);
}

void Connection::discard(std::int64_t id, std::size_t bytes) {
  ngtcp2_conn_extend_max_stream_offset(quic_, id, bytes);
  ngtcp2_conn_extend_max_offset(quic_, bytes);
}

void Connection::request_arrived(const std::shared_ptr<Stream>& stream) {
  if (closing_ || close_when_idle_ || !core_->begin_request(*this, stream)) {
    reset_later(stream->id(), true, true, NGHTTP3_H3_REQUEST_REJECTED);
  }
}

void Connection::reset_later(std::int64_t id, bool reading, bool writing, std::uint64_t code) {
  later_.push_back([this, id, reading, writing, code] { http3_->shut(quic_, id, reading, writing, code); });
}

void Connection::stop_later(const std::shared_ptr<Stream>& stream) {
  later_.push_back([stream] { stream->stop->request(); });
}

}  // namespace peer::net
