// How a connection is made: ngtcp2's callbacks, settings and transport parameters.
#include <ngtcp2/ngtcp2_crypto.h>

#include <algorithm>
#include <array>
#include <new>

#include "libpeer/base/check.h"
#include "libpeer/net/connection.h"
#include "libpeer/net/limits.h"

namespace peer::net {
namespace {

constexpr runtime::Duration kInitialRtt = std::chrono::milliseconds(30);  // a local network, with room for a busy peer
constexpr runtime::Duration kMaxAckDelay = std::chrono::milliseconds(2);
constexpr std::size_t kAckThreshold = 10;            // more would stall slow start, whose first window is ten packets
constexpr std::uint64_t kControlWindow = 64 * 1024;  // of control streams, credited at once
constexpr std::uint64_t kUniStreams = 8;
constexpr std::array<std::uint16_t, 3> kProbes{1350, 1452, 8952};

ngtcp2_duration nanoseconds(runtime::Duration d) {
  return static_cast<ngtcp2_duration>(std::chrono::duration_cast<std::chrono::nanoseconds>(d).count());
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

}  // namespace peer::net
