// LinkMeter: the LinkStats of one connection, also after ngtcp2's object is gone.
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <cstdint>
#include <utility>

#include "libpeer/net/link.h"
#include "libpeer/net/quic_time.h"

namespace peer::net {

class LinkMeter {
 public:
  explicit LinkMeter(runtime::TimePoint now) { stats_.last_received = now; }

  /// Updates the time of the last sign of life. Only packets that authenticate with the peer's keys count.
  void note_arrivals(ngtcp2_conn* quic, runtime::TimePoint now) {
    ngtcp2_conn_info info;
    ngtcp2_conn_get_conn_info(quic, &info);
    if (std::exchange(packets_received_, info.pkt_recv) != info.pkt_recv) stats_.last_received = now;
  }

  /// If `quic` is null, returns the values of the last call.
  const LinkStats& read(ngtcp2_conn* quic) {
    if (quic == nullptr) return stats_;
    ngtcp2_conn_info info;
    ngtcp2_conn_get_conn_info(quic, &info);
    stats_.smoothed_rtt = from_quic(info.smoothed_rtt);
    stats_.bytes_in = info.bytes_recv;
    stats_.bytes_out = info.bytes_sent;
    stats_.packets_lost = info.pkt_lost;
    return stats_;
  }

 private:
  LinkStats stats_;
  std::uint64_t packets_received_ = 0;
};

}  // namespace peer::net
