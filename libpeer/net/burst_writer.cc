#include "libpeer/net/burst_writer.h"

#include <algorithm>
#include <cstddef>
#include <span>

#include "libpeer/net/limits.h"

namespace peer::net {
namespace {

// Bytes that the congestion window allows in a millisecond, within limits.
std::size_t burst_limit(ngtcp2_conn* quic) {
  ngtcp2_conn_info info;
  ngtcp2_conn_get_conn_info(quic, &info);
  const double rtt = static_cast<double>(std::max<ngtcp2_duration>(info.smoothed_rtt, NGTCP2_MICROSECONDS));
  const double millisecond = static_cast<double>(info.cwnd) * static_cast<double>(NGTCP2_MILLISECONDS) / rtt;
  return static_cast<std::size_t>(
      std::clamp(millisecond, static_cast<double>(limits::kFlushMinimum), static_cast<double>(limits::kFlushMaximum)));
}

}  // namespace

BurstResult write_burst(EndpointCore& core, ngtcp2_conn* quic, ConnectionPath& path, bool server,
                        ngtcp2_write_pkt write_packet) {
  SendQueue& out = core.out();
  const std::span<std::uint8_t> buffer = out.buffer();
  const std::size_t segments = out.max_segments();
  std::size_t done = 0;
  std::size_t limit = limits::kFlushMinimum;
  for (;;) {
    ngtcp2_path_storage used;
    ngtcp2_path_storage_zero(&used);
    ngtcp2_pkt_info info{};
    std::size_t segment = 0;
    const ngtcp2_ssize size = ngtcp2_conn_write_aggregate_pkt2(quic, &used.path, &info, buffer.data(), buffer.size(),
                                                               &segment, write_packet, segments, core.now());
    if (size < 0) return {BurstEnd::idle, done > 0, static_cast<int>(size)};
    if (size == 0) return {BurstEnd::idle, done > 0, 0};
    path.follow(used.path);
    out.send(server ? path.local() : SocketAddress{}, path.remote(), info.ecn,
             buffer.first(static_cast<std::size_t>(size)), segment);
    done += static_cast<std::size_t>(size);
    if (out.blocked()) return {BurstEnd::blocked, true, 0};
    if (done < limit) continue;
    limit = burst_limit(quic);
    if (done >= limit) return {BurstEnd::more, true, 0};
  }
}

}  // namespace peer::net
