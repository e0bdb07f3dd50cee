#include "libpeer/net/quic_setup.h"

#include <ngtcp2/ngtcp2_crypto.h>

#include <algorithm>
#include <array>
#include <new>

#include "libpeer/base/check.h"
#include "libpeer/net/connection_ids.h"
#include "libpeer/net/limits.h"
#include "libpeer/net/quic_time.h"

namespace peer::net {
namespace {

constexpr runtime::Duration kInitialRtt = std::chrono::milliseconds(30);  // a local network, and time for a busy peer
constexpr runtime::Duration kMaxAckDelay = std::chrono::milliseconds(2);
constexpr std::size_t kAckThreshold = 10;            // more would stall slow start: its first window is ten packets
constexpr std::uint64_t kControlWindow = 64 * 1024;  // of a control stream, credited at once
constexpr std::uint64_t kUniStreams = 8;
constexpr std::array<std::uint16_t, 3> kProbes{1350, 1452, 8952};  // datagram sizes for path MTU discovery

std::vector<std::uint16_t> probes_up_to(std::uint16_t largest) {
  std::vector<std::uint16_t> probes;
  for (const std::uint16_t probe : kProbes) {
    if (probe < largest) probes.push_back(probe);
  }
  if (largest > NGTCP2_MAX_UDP_PAYLOAD_SIZE) probes.push_back(largest);
  return probes;
}

// `probes` must outlive the settings.
ngtcp2_settings make_settings(const QuicOrigin& origin, const std::vector<std::uint16_t>& probes) {
  const EndpointOptions& options = origin.options;
  ngtcp2_settings settings;
  ngtcp2_settings_default(&settings);
  settings.initial_ts = origin.now;
  settings.initial_rtt = quic_duration(kInitialRtt);
  settings.rand_ctx.native_handle = options.random;
  settings.handshake_timeout = quic_duration(kDialTimeout);
  settings.ack_thresh = kAckThreshold;
  settings.max_window = 0;  // no automatic tuning: EndpointOptions fixes the windows
  settings.max_stream_window = 0;
  settings.max_tx_udp_payload_size = std::max<std::size_t>(options.largest_datagram, NGTCP2_MAX_UDP_PAYLOAD_SIZE);
  settings.pmtud_probes = probes.data();
  settings.pmtud_probeslen = probes.size();
  settings.no_pmtud = probes.empty() ? 1 : 0;
  return settings;
}

ngtcp2_transport_params make_params(const EndpointOptions& options, bool server) {
  ngtcp2_transport_params params;
  ngtcp2_transport_params_default(&params);
  params.initial_max_stream_data_bidi_local = server ? 0 : options.stream_window;  // of streams that this side opens
  params.initial_max_stream_data_bidi_remote = server ? limits::kRequestWindow : 0;
  params.initial_max_stream_data_uni = kControlWindow;
  params.initial_max_data = server ? limits::kRequestConnectionWindow : options.connection_window;
  params.initial_max_streams_bidi = server ? limits::kStreams : 0;
  params.initial_max_streams_uni = kUniStreams;
  params.max_idle_timeout = quic_duration(options.idle_timeout);
  params.max_ack_delay = quic_duration(kMaxAckDelay);
  return params;
}

ngtcp2_cid random_cid(Random& random, std::size_t length) {
  ngtcp2_cid cid{};
  cid.datalen = length;
  random.fill({cid.data, cid.datalen});
  return cid;
}

}  // namespace

ngtcp2_callbacks crypto_callbacks() noexcept {
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
  return callbacks;
}

QuicSetup make_quic_client(const QuicOrigin& origin) {
  const std::vector<std::uint16_t> probes = probes_up_to(origin.options.largest_datagram);
  const ngtcp2_settings settings = make_settings(origin, probes);
  const ngtcp2_transport_params params = make_params(origin.options, false);
  Random& random = *origin.options.random;
  const ngtcp2_cid scid = random_cid(random, kCidLength);
  const ngtcp2_cid dcid = random_cid(random, NGTCP2_MIN_INITIAL_DCIDLEN + kCidLength);
  QuicSetup setup;
  if (ngtcp2_conn_client_new(&setup.quic, &dcid, &scid, &origin.path, NGTCP2_PROTO_VER_V1, &origin.callbacks, &settings,
                             &params, origin.memory, origin.user) != 0) {
    throw std::bad_alloc();
  }
  setup.ids = {scid};
  return setup;
}

QuicSetup make_quic_server(const QuicOrigin& origin, const StatelessReplies& replies, const ngtcp2_pkt_hd& header,
                           const std::optional<ngtcp2_cid>& original) {
  const std::vector<std::uint16_t> probes = probes_up_to(origin.options.largest_datagram);
  ngtcp2_settings settings = make_settings(origin, probes);
  ngtcp2_transport_params params = make_params(origin.options, true);
  const ngtcp2_cid scid = random_cid(*origin.options.random, kCidLength);
  params.original_dcid = original.value_or(header.dcid);
  params.original_dcid_present = 1;
  if (original) {
    params.retry_scid = header.dcid;
    params.retry_scid_present = 1;
    settings.token = header.token;
    settings.tokenlen = header.tokenlen;
    settings.token_type = NGTCP2_TOKEN_TYPE_RETRY;
  }
  params.stateless_reset_token_present = 1;
  PEER_CHECK(replies.reset_token(scid, params.stateless_reset_token));
  QuicSetup setup;
  if (ngtcp2_conn_server_new(&setup.quic, &header.scid, &scid, &origin.path, header.version, &origin.callbacks,
                             &settings, &params, origin.memory, origin.user) != 0) {
    throw std::bad_alloc();
  }
  setup.ids = {header.dcid, scid};
  return setup;
}

}  // namespace peer::net
