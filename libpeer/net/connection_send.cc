// What leaves a connection: one flush a turn, in bursts, under ngtcp2's congestion control and pacing.
#include <algorithm>
#include <cstring>
#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/net/connection.h"
#include "libpeer/net/limits.h"

namespace peer::net {
namespace {

constexpr runtime::Duration kBlockedRecheck = std::chrono::milliseconds(10);
constexpr runtime::Duration kSoon = std::chrono::milliseconds(1);

}  // namespace

ngtcp2_ssize Connection::write_packet(ngtcp2_conn* quic, ngtcp2_path* path, ngtcp2_pkt_info* info, std::uint8_t* out,
                                      std::size_t size, ngtcp2_tstamp now, void* user) {
  Connection& me = *static_cast<Connection*>(user);
  if (me.http3_) return me.http3_->write(quic, path, info, out, size, now);
  return ngtcp2_conn_writev_stream(quic, path, info, out, size, nullptr, 0, -1, nullptr, 0, now);
}

// Does the work that callbacks left for later. ngtcp2 and nghttp3 may be called here.
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
      case 0: break;
      case NGTCP2_ERR_IDLE_CLOSE:
        return finish({ErrorCode::unreachable, remote_.to_string() + ": nothing was heard for too long"}, {}, false);
      case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
        return finish({ErrorCode::unreachable,
                       remote_.to_string() + ": no answer; is peerd running there and its UDP port open?"},
                      {}, false);
      default: close_library(result); return send_close();
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
        quic_, &path.path, &info, out.data(), out.size(), &segment, &Connection::write_packet, segments, core_->now());
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
  if (http3_ && http3_->end_burst() != 0) return false;
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
  const runtime::TimePoint now = core_->executor().now();
  const ngtcp2_tstamp quic_now = core_->now();
  const ngtcp2_tstamp expiry = ngtcp2_conn_get_expiry(quic_);
  runtime::TimePoint at = runtime::TimePoint::max();
  if (expiry != UINT64_MAX) {
    at = now + std::chrono::duration_cast<runtime::Duration>(
                   std::chrono::nanoseconds(expiry > quic_now ? expiry - quic_now : 0));
  }
  if (more && at > now + kSoon) at = now;
  if (core_->blocked()) at = std::max(at, now + kBlockedRecheck);
  // One that fires early only looks again; moving it at each packet would cost more.
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
  Closing closing = std::move(*closing_);
  closing.error.reason = reinterpret_cast<std::uint8_t*>(closing.reason.data());
  closing.error.reasonlen = closing.reason.size();
  const ngtcp2_ssize size = ngtcp2_conn_write_connection_close(quic_, &path.path, &info, packet.data(), packet.size(),
                                                               &closing.error, core_->now());
  packet.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  if (!packet.empty()) core_->transmit(server_ ? local_ : SocketAddress{}, remote_, info.ecn, packet, packet.size());
  finish(std::move(closing.local), std::move(packet), true);
}

}  // namespace peer::net
