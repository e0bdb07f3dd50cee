#include "hostile/raw_client.h"

#include <fcntl.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <stdexcept>
#include <system_error>

#include "libpeer/net/quic_setup.h"

namespace peer::hostile {

ngtcp2_tstamp now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<ngtcp2_tstamp>(std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
}

namespace {

// The frames that the packet being written carries instead of ngtcp2's own. ngtcp2's callback has no user data.
thread_local const Bytes* crafting = nullptr;
thread_local bool crafted = false;

int encrypt(std::uint8_t* dest, const ngtcp2_crypto_aead* aead, const ngtcp2_crypto_aead_ctx* context,
            const std::uint8_t* plain, std::size_t size, const std::uint8_t* nonce, std::size_t nonce_size,
            const std::uint8_t* aad, std::size_t aad_size) {
  if (crafting == nullptr)
    return ngtcp2_crypto_encrypt_cb(dest, aead, context, plain, size, nonce, nonce_size, aad, aad_size);
  const Bytes& frames = *crafting;
  const std::uint8_t* const end = plain + size;
  const std::uint8_t* const found = std::search(plain, end, frames.begin(), frames.end());
  if (found == end) return ngtcp2_crypto_encrypt_cb(dest, aead, context, plain, size, nonce, nonce_size, aad, aad_size);
  Bytes instead(size, 0);  // PADDING
  std::ranges::copy(frames, instead.begin() + (found - plain));
  crafted = true;
  return ngtcp2_crypto_encrypt_cb(dest, aead, context, instead.data(), size, nonce, nonce_size, aad, aad_size);
}

}  // namespace

struct RawClient::Callbacks {
  static RawClient& self(void* user) { return *static_cast<RawClient*>(user); }
  static ngtcp2_conn* get(ngtcp2_crypto_conn_ref* reference) { return self(reference->user_data).quic_; }
  static void random(std::uint8_t* out, std::size_t size, const ngtcp2_rand_ctx* context) {
    static_cast<Random*>(context->native_handle)->fill({out, size});
  }
  static int new_cid(ngtcp2_conn*, ngtcp2_cid* cid, ngtcp2_stateless_reset_token* token, std::size_t length,
                     void* user) {
    cid->datalen = length;
    self(user).random_.fill({cid->data, length});
    self(user).random_.fill({token->data, sizeof token->data});
    return 0;
  }
  static int completed(ngtcp2_conn* quic, void* user) {
    RawClient& me = self(user);
    me.ready_ = true;
    std::int64_t id = -1;
    if (ngtcp2_conn_open_uni_stream(quic, &id, nullptr) == 0) me.send(id, control_stream());
    return 0;
  }
  static int stream_data(ngtcp2_conn* quic, std::uint32_t, std::int64_t id, std::uint64_t, const std::uint8_t*,
                         std::size_t size, void* user, void*) {
    RawClient& me = self(user);
    if (me.options_.reads || (id & 2) != 0) ngtcp2_conn_extend_max_stream_offset(quic, id, size);
    ngtcp2_conn_extend_max_offset(quic, size);
    if ((id & 2) == 0 && me.on_data) me.on_data(id);
    return 0;
  }
  static int acked(ngtcp2_conn*, std::int64_t id, std::uint64_t offset, std::uint64_t size, void* user, void*) {
    const auto found = self(user).kept_.find(id);
    if (found == self(user).kept_.end()) return 0;
    Sent& sent = found->second;
    while (!sent.pieces.empty() && sent.first + sent.pieces.front().size() <= offset + size) {
      sent.first += sent.pieces.front().size();
      sent.pieces.pop_front();
    }
    return 0;
  }
  static int stream_close(ngtcp2_conn*, std::uint32_t, std::int64_t id, std::uint64_t, void* user, void*) {
    RawClient& me = self(user);
    if (const auto found = me.pending_.find(id); found != me.pending_.end()) {
      for (const Bytes& piece : found->second.pieces) me.queued_ -= piece.size();
      me.queued_ += found->second.at;
      me.pending_.erase(found);
    }
    me.kept_.erase(id);
    if (me.on_closed) me.on_closed(id);
    return 0;
  }
  static ngtcp2_callbacks table() {
    ngtcp2_callbacks callbacks = net::crypto_callbacks();
    callbacks.encrypt = &encrypt;
    callbacks.rand = &Callbacks::random;
    callbacks.get_new_connection_id2 = &Callbacks::new_cid;
    callbacks.handshake_completed = &Callbacks::completed;
    callbacks.recv_stream_data = &Callbacks::stream_data;
    callbacks.acked_stream_data_offset = &Callbacks::acked;
    callbacks.stream_close = &Callbacks::stream_close;
    return callbacks;
  }
};

RawClient::RawClient(const ClientOptions& options, const net::TlsContext& tls, Random& random)
    : random_(random), options_(options) {
  const int family = options.target.is_v4() ? AF_INET : AF_INET6;
  fd_ = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "socket");
  sockaddr_storage source{};
  if (options.source) {
    const socklen_t size = options.source->to_native(family, source);
    if (bind(fd_, reinterpret_cast<sockaddr*>(&source), size) != 0) {
      close(fd_);
      throw std::system_error(errno, std::generic_category(), "bind " + options.source->to_string());
    }
  }
  const socklen_t remote_size = options.target.to_native(family, remote_);
  (void)connect(fd_, reinterpret_cast<sockaddr*>(&remote_), remote_size);
  socklen_t local_size = sizeof local_;
  getsockname(fd_, reinterpret_cast<sockaddr*>(&local_), &local_size);
  path_.local = {reinterpret_cast<ngtcp2_sockaddr*>(&local_), local_size};
  path_.remote = {reinterpret_cast<ngtcp2_sockaddr*>(&remote_), remote_size};

  ngtcp2_settings settings;
  ngtcp2_settings_default(&settings);
  settings.initial_ts = now();
  settings.rand_ctx.native_handle = &random_;
  settings.handshake_timeout = 5 * NGTCP2_SECONDS;
  settings.no_pmtud = 1;
  settings.initial_rtt = 30 * NGTCP2_MILLISECONDS;
  ngtcp2_transport_params params;
  ngtcp2_transport_params_default(&params);
  params.initial_max_stream_data_bidi_local = options.stream_window;
  params.initial_max_stream_data_uni = 64 << 10;
  params.initial_max_data = 64 << 20;
  params.initial_max_streams_uni = 8;
  params.max_idle_timeout = 30 * NGTCP2_SECONDS;
  ngtcp2_cid source_id{}, target_id{};
  for (ngtcp2_cid* id : {&source_id, &target_id}) {
    id->datalen = 16;
    random_.fill({id->data, 16});
  }
  const ngtcp2_callbacks callbacks = Callbacks::table();
  if (ngtcp2_conn_client_new(&quic_, &target_id, &source_id, &path_, NGTCP2_PROTO_VER_V1, &callbacks, &settings,
                             &params, nullptr, this) != 0) {
    throw std::bad_alloc();
  }
  tls_.emplace(tls.client(), false, this, &Callbacks::get);
  ngtcp2_conn_set_tls_native_handle(quic_, tls_->native());
  ngtcp2_conn_set_keep_alive_timeout(quic_, static_cast<ngtcp2_duration>(options.keep_alive * 1e9));
}

RawClient::~RawClient() {
  ngtcp2_conn_del(quic_);
  close(fd_);
}

std::string RawClient::error() const {
  const ngtcp2_ccerr* error = ngtcp2_conn_get_ccerr(quic_);
  return std::to_string(error->error_code) + " " + std::string(error->reason, error->reason + error->reasonlen);
}

ngtcp2_tstamp RawClient::expiry() const { return dead_ ? UINT64_MAX : ngtcp2_conn_get_expiry(quic_); }
std::uint64_t RawClient::streams_left() const { return dead_ ? 0 : ngtcp2_conn_get_streams_bidi_left(quic_); }
const ngtcp2_transport_params* RawClient::server_params() const {
  return ngtcp2_conn_get_remote_transport_params(quic_);
}

std::optional<std::int64_t> RawClient::open() {
  std::int64_t id = -1;
  if (dead_ || !ready_ || ngtcp2_conn_open_bidi_stream(quic_, &id, nullptr) != 0) return std::nullopt;
  return id;
}

void RawClient::send(std::int64_t stream, const Bytes& bytes, bool end) {
  Pending& pending = pending_[stream];
  pending.pieces.push_back(bytes);
  pending.end = end;
  queued_ += bytes.size();
}

void RawClient::reset(std::int64_t stream) {
  if (dead_) return;
  if (const auto found = pending_.find(stream); found != pending_.end()) {
    for (const Bytes& piece : found->second.pieces) queued_ -= piece.size();
    queued_ += found->second.at;
    // What ngtcp2 has already taken may be sent again until the stream closes.
    for (Bytes& piece : found->second.pieces) kept_[stream].pieces.push_back(std::move(piece));
    pending_.erase(found);
  }
  ngtcp2_conn_shutdown_stream(quic_, 0, stream, 0x10c);  // H3_REQUEST_CANCELLED
}

void RawClient::send_frames(std::int64_t carrier, const Bytes& frames) { crafted_.push_back({carrier, frames}); }

void RawClient::receive() {
  std::array<std::uint8_t, 65536> buffer;
  for (int turns = 0; !dead_ && turns < 256; ++turns) {
    const ssize_t size = recv(fd_, buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == ECONNREFUSED) continue;
    if (size < 0) return;
    received += static_cast<std::uint64_t>(size);
    const ngtcp2_pkt_info info{};
    if (ngtcp2_conn_read_pkt(quic_, &path_, &info, buffer.data(), static_cast<std::size_t>(size), now()) != 0)
      dead_ = true;
  }
}

void RawClient::turn() {
  if (dead_) return;
  if (ngtcp2_conn_get_expiry(quic_) <= now() && ngtcp2_conn_handle_expiry(quic_, now()) != 0) dead_ = true;
  if (!dead_) write();
}

ngtcp2_ssize RawClient::write_stream(ngtcp2_pkt_info& info, std::uint8_t* out, std::size_t size) {
  if (!crafted_.empty()) {
    Crafted& next = crafted_.front();
    const ngtcp2_vec piece{next.frames.data(), next.frames.size()};
    ngtcp2_ssize taken = -1;
    crafting = &next.frames;
    crafted = false;
    const ngtcp2_ssize n =
        ngtcp2_conn_writev_stream(quic_, nullptr, &info, out, size, &taken, 0, next.carrier, &piece, 1, now());
    crafting = nullptr;
    if (taken >= 0) {
      kept_[next.carrier].pieces.push_back(std::move(next.frames));
      crafted_.pop_front();
    }
    if (n != 0) return n;
  }
  for (auto it = pending_.begin(); it != pending_.end(); ++it) {
    Pending& pending = it->second;
    if (pending.pieces.empty()) continue;
    Bytes& first = pending.pieces.front();
    const ngtcp2_vec piece{first.data() + pending.at, first.size() - pending.at};
    const bool end = pending.end && pending.pieces.size() == 1;
    ngtcp2_ssize taken = -1;
    const ngtcp2_ssize n = ngtcp2_conn_writev_stream(
        quic_, nullptr, &info, out, size, &taken, end ? NGTCP2_WRITE_STREAM_FLAG_FIN : 0, it->first, &piece, 1, now());
    if (taken >= 0) {
      queued_ -= static_cast<std::uint64_t>(taken);
      pending.at += static_cast<std::size_t>(taken);
      if (pending.at == first.size()) {
        kept_[it->first].pieces.push_back(std::move(first));
        pending.pieces.pop_front();
        pending.at = 0;
      }
    }
    if (n == NGTCP2_ERR_STREAM_DATA_BLOCKED) continue;
    if (n == NGTCP2_ERR_STREAM_SHUT_WR || n == NGTCP2_ERR_STREAM_NOT_FOUND) {
      for (Bytes& left : pending.pieces) queued_ -= left.size();
      queued_ += pending.at;
      for (Bytes& left : pending.pieces) kept_[it->first].pieces.push_back(std::move(left));
      pending_.erase(it);
      return write_stream(info, out, size);
    }
    if (pending.pieces.empty()) pending_.erase(it);
    if (n != 0) return n;
    return 0;
  }
  return ngtcp2_conn_writev_stream(quic_, nullptr, &info, out, size, nullptr, 0, -1, nullptr, 0, now());
}

void RawClient::write() {
  std::array<std::uint8_t, 1452> out;
  for (int packets = 0; packets < 64; ++packets) {
    ngtcp2_pkt_info info{};
    const ngtcp2_ssize size = write_stream(info, out.data(), ready_ ? out.size() : 1200);
    if (size < 0) {
      dead_ = true;
      return;
    }
    if (size == 0) break;
    transmit(out.data(), static_cast<std::size_t>(size));
  }
  ngtcp2_conn_update_pkt_tx_time(quic_, now());
}

void RawClient::transmit(const std::uint8_t* bytes, std::size_t size) {
  if (::send(fd_, bytes, size, 0) > 0) sent += size;
}

}  // namespace peer::hostile
