#include "support/net/hostile_client.h"

#include <ngtcp2/ngtcp2_crypto.h>

#include <algorithm>
#include <array>
#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/net/quic_setup.h"
#include "libpeer/net/quic_time.h"
#include "libpeer/runtime/sleep.h"

namespace peer::test {
namespace {

constexpr std::size_t kPacket = 1200;
constexpr std::size_t kRoom = kPacket - 64;  // for frames, after header and tag

// The client whose packet ngtcp2 encrypts now: the callback has no user data.
thread_local Frames* replacing = nullptr;

void add_number(Frames& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    const auto byte = static_cast<std::uint8_t>(value >> shift);
    out.push_back(shift == 56 ? static_cast<std::uint8_t>(byte | 0xc0U) : byte);
  }
}

int encrypt(std::uint8_t* out, const ngtcp2_crypto_aead* aead, const ngtcp2_crypto_aead_ctx* context,
            const std::uint8_t* plain, std::size_t size, const std::uint8_t* nonce, std::size_t nonce_size,
            const std::uint8_t* header, std::size_t header_size) {
  if (replacing == nullptr || replacing->empty() || replacing->size() > size || (header[0] & 0x80U) != 0)
    return ngtcp2_crypto_encrypt_cb(out, aead, context, plain, size, nonce, nonce_size, header, header_size);
  Frames frames = std::exchange(*replacing, {});
  frames.resize(size);  // PADDING
  return ngtcp2_crypto_encrypt_cb(out, aead, context, frames.data(), size, nonce, nonce_size, header, header_size);
}

net::Identity generated() {
  auto identity = net::Identity::generate();
  PEER_CHECK(identity.has_value());
  return std::move(*identity);
}

}  // namespace

void add_stream_frame(Frames& frames, std::int64_t id, std::uint64_t offset, std::span<const std::uint8_t> data,
                      bool fin) {
  frames.push_back(fin ? 0x0f : 0x0e);
  add_number(frames, static_cast<std::uint64_t>(id));
  add_number(frames, offset);
  add_number(frames, data.size());
  frames.insert(frames.end(), data.begin(), data.end());
}

void add_reset_frame(Frames& frames, std::int64_t id, std::uint64_t final_size) {
  frames.push_back(0x04);
  add_number(frames, static_cast<std::uint64_t>(id));
  add_number(frames, 0x10c);  // H3_REQUEST_CANCELLED
  add_number(frames, final_size);
}

// Source: RFC 9204: a field section prefix, indexed fields of the static table and literals with its names.
std::vector<std::uint8_t> request_bytes(std::string_view method, std::string_view path) {
  std::vector<std::uint8_t> block{0, 0, static_cast<std::uint8_t>(method == "POST" ? 0xd4 : 0xd1), 0xd7, 0x51};
  PEER_CHECK(path.size() < 127);
  block.push_back(static_cast<std::uint8_t>(path.size()));
  block.insert(block.end(), path.begin(), path.end());
  block.insert(block.end(), {0x50, 1, 'x'});
  std::vector<std::uint8_t> out{0x01};
  add_number(out, block.size());
  out.insert(out.end(), block.begin(), block.end());
  return out;
}

struct HostileClient::HostileCallbacks {
  static HostileClient& self(void* user) { return *static_cast<HostileClient*>(user); }
  static ngtcp2_conn* get(ngtcp2_crypto_conn_ref* reference) { return self(reference->user_data).quic_; }
  static void random(std::uint8_t* out, std::size_t size, const ngtcp2_rand_ctx* context) {
    static_cast<Random*>(context->native_handle)->fill({out, size});
  }
  static int new_cid(ngtcp2_conn*, ngtcp2_cid* cid, ngtcp2_stateless_reset_token* token, std::size_t length,
                     void* user) {
    cid->datalen = length;
    self(user).random_->fill({cid->data, length});
    self(user).random_->fill({token->data, sizeof token->data});
    return 0;
  }
  static int stream_data(ngtcp2_conn* quic, std::uint32_t, std::int64_t id, std::uint64_t, const std::uint8_t*,
                         std::size_t size, void*, void*) {
    ngtcp2_conn_extend_max_stream_offset(quic, id, size);
    ngtcp2_conn_extend_max_offset(quic, size);
    return 0;
  }
  static ngtcp2_callbacks table() {
    ngtcp2_callbacks callbacks = net::crypto_callbacks();
    callbacks.encrypt = &encrypt;
    callbacks.rand = &random;
    callbacks.get_new_connection_id2 = &new_cid;
    callbacks.recv_stream_data = &stream_data;
    return callbacks;
  }
};

HostileClient::HostileClient(runtime::Executor& executor, std::unique_ptr<net::DatagramSocket> socket,
                             net::SocketAddress server, std::uint64_t seed, bool certificate)
    : executor_(executor),
      socket_(std::move(socket)),
      server_(server),
      random_(seeded_random(seed)),
      options_(generated(), random_.get()),
      contexts_(options_.identity, certificate) {
  options_.largest_datagram = kPacket;
  socket_->start(*this);
}

HostileClient::~HostileClient() { PEER_CHECK(quic_ == nullptr); }

ngtcp2_path HostileClient::path() noexcept {
  const socklen_t local = server_.is_v4() ? net::SocketAddress::loopback(1).to_native(AF_INET6, native_local_)
                                          : net::SocketAddress().to_native(AF_INET6, native_local_);
  const socklen_t remote = server_.to_native(AF_INET6, native_remote_);
  return {{reinterpret_cast<ngtcp2_sockaddr*>(&native_local_), local},
          {reinterpret_cast<ngtcp2_sockaddr*>(&native_remote_), remote},
          nullptr};
}

runtime::Task<bool> HostileClient::connect(runtime::Duration limit) {
  const ngtcp2_callbacks callbacks = HostileCallbacks::table();
  tls_.emplace(contexts_.client(), false, this, &HostileCallbacks::get);
  quic_ = net::make_quic_client({callbacks, options_, path(), net::quic_time(executor_.now()), this}).quic;
  ngtcp2_conn_set_tls_native_handle(quic_, tls_->native());
  flush();
  const runtime::TimePoint end = executor_.now() + limit;
  while (!over_ && ngtcp2_conn_get_handshake_completed(quic_) == 0 && executor_.now() < end) {
    co_await runtime::sleep_for(executor_, std::chrono::milliseconds(1), runtime::CancellationToken());
  }
  co_return !over_ && ngtcp2_conn_get_handshake_completed(quic_) != 0;
}

std::optional<std::int64_t> HostileClient::open_stream() {
  std::int64_t id = 0;
  if (over_ || ngtcp2_conn_open_bidi_stream(quic_, &id, nullptr) != 0) return std::nullopt;
  return id;
}

runtime::Task<bool> HostileClient::send(Frames frames) {
  PEER_CHECK(frames.size() <= kRoom);
  replacement_ = std::move(frames);
  std::array<std::uint8_t, kPacket> packet{};
  while (!over_) {
    std::int64_t id = 0;
    if (!filler_) {
      const bool opened = ngtcp2_conn_open_uni_stream(quic_, &id, nullptr) == 0;
      PEER_CHECK(opened);
      filler_ = id;
    }
    const std::uint8_t byte = 0x21;  // the frames are replaced: ngtcp2 only needs a reason for a packet
    ngtcp2_pkt_info info{};
    ngtcp2_ssize taken = -1;
    ngtcp2_path_storage used;
    ngtcp2_path_storage_zero(&used);
    replacing = &replacement_;
    const ngtcp2_ssize size =
        ngtcp2_conn_write_stream(quic_, &used.path, &info, packet.data(), packet.size(), &taken,
                                 NGTCP2_WRITE_STREAM_FLAG_PADDING, *filler_, &byte, 1, net::quic_time(executor_.now()));
    replacing = nullptr;
    if (size < 0) break;
    if (size > 0) {
      socket_->send({}, server_, net::Ecn::not_ect, std::span(packet).first(static_cast<std::size_t>(size)),
                    packet.size());
    }
    arm();
    if (replacement_.empty()) co_return true;
    co_await runtime::sleep_for(executor_, std::chrono::milliseconds(1), runtime::CancellationToken());
  }
  co_return false;
}

runtime::Task<void> HostileClient::stay(runtime::Duration time) {
  const runtime::TimePoint end = executor_.now() + time;
  while (!over_ && executor_.now() < end) {
    const auto pause = std::min<runtime::Duration>(end - executor_.now(), std::chrono::seconds(1));
    co_await runtime::sleep_for(executor_, pause, runtime::CancellationToken());
    Frames ping{0x01};
    auto sending = send(std::move(ping));
    co_await sending;
  }
}

runtime::Task<void> HostileClient::close() {
  over_ = true;
  if (timer_) executor_.disarm(*timer_);
  timer_.reset();
  ngtcp2_conn_del(std::exchange(quic_, nullptr));
  tls_.reset();
  co_await socket_->close();
}

void HostileClient::on_datagram(const net::SocketAddress&, const net::SocketAddress&, net::Ecn,
                                std::span<const std::uint8_t> data) {
  if (over_ || quic_ == nullptr) return;
  const ngtcp2_path at = path();
  const ngtcp2_pkt_info info{};
  if (ngtcp2_conn_read_pkt(quic_, &at, &info, data.data(), data.size(), net::quic_time(executor_.now())) == 0) return;
  over_ = true;
  if (ngtcp2_conn_in_draining_period(quic_) != 0) closed_with_ = ngtcp2_conn_get_ccerr(quic_)->error_code;
}

void HostileClient::flush() {
  std::array<std::uint8_t, kPacket> packet{};
  while (!over_) {
    ngtcp2_path_storage used;
    ngtcp2_path_storage_zero(&used);
    ngtcp2_pkt_info info{};
    const ngtcp2_ssize size =
        ngtcp2_conn_write_pkt(quic_, &used.path, &info, packet.data(), packet.size(), net::quic_time(executor_.now()));
    if (size < 0) over_ = true;
    if (size <= 0) break;
    socket_->send({}, server_, net::Ecn::not_ect, std::span(packet).first(static_cast<std::size_t>(size)),
                  packet.size());
  }
  arm();
}

void HostileClient::arm() {
  if (timer_) executor_.disarm(*timer_);
  timer_.reset();
  if (over_) return;
  const ngtcp2_tstamp expiry = ngtcp2_conn_get_expiry(quic_);
  if (expiry == UINT64_MAX) return;
  const ngtcp2_tstamp now = net::quic_time(executor_.now());
  timer_ = executor_.arm(executor_.now() + net::from_quic(expiry > now ? expiry - now : 1), [this] {
    timer_.reset();
    if (over_) return;
    if (ngtcp2_conn_handle_expiry(quic_, net::quic_time(executor_.now())) != 0) {
      over_ = true;
    } else {
      flush();
    }
  });
}

}  // namespace peer::test
