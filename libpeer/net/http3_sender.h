// Http3Sender: moves what nghttp3 has to send into QUIC packets.
//
// One offer of nghttp3 may fill several packets: asking nghttp3 again for each packet would cost as much as the packet
// itself.
#pragma once

#include <nghttp3/nghttp3.h>
#include <ngtcp2/ngtcp2.h>

#include <cstddef>
#include <cstdint>

namespace peer::net {

class Http3Session;

class Http3Sender {
 public:
  explicit Http3Sender(Http3Session& session) : session_(session) {}
  /// Writes one packet, with ngtcp2_conn_writev_stream(). After the last packet of a burst, call end_burst() before
  /// anything else.
  ngtcp2_ssize write(ngtcp2_conn* quic, ngtcp2_path* path, ngtcp2_pkt_info* info, std::uint8_t* out, std::size_t size,
                     ngtcp2_tstamp now);
  /// Tells nghttp3 how much of its offer was sent. Returns 0 or NGTCP2_ERR_CALLBACK_FAILURE.
  int end_burst();

 private:
  static constexpr std::size_t kVectors = 16;
  /// What nghttp3 offered of one stream, and how much of it was sent in this burst.
  struct StreamOffer {
    std::int64_t id = -1;
    int fin = 0;
    nghttp3_vec vectors[kVectors];
    std::size_t first = 0;
    std::size_t count = 0;
    std::size_t sent = 0;
    bool accepted = false;  ///< QUIC accepted some of it, or at least the end of the stream
    void consume(std::size_t bytes);
  };
  int next_offer();

  Http3Session& session_;
  StreamOffer offer_;
};

}  // namespace peer::net
