#include "libpeer/net/http3_sender.h"

#include <utility>

#include "libpeer/net/http3_session.h"

namespace peer::net {

int Http3Sender::next_offer() {
  offer_ = {};
  const nghttp3_ssize count =
      nghttp3_conn_writev_stream(session_.native(), &offer_.id, &offer_.fin, offer_.vectors, kVectors);
  if (count < 0) return session_.fail(count);
  offer_.count = static_cast<std::size_t>(count);
  return 0;
}

int Http3Sender::end_burst() {
  const StreamOffer over = std::exchange(offer_, {});
  // In this case, do not report an offset of 0: nghttp3 would conclude that the end of the stream was sent.
  if (!over.accepted) return 0;
  const int result = nghttp3_conn_add_write_offset(session_.native(), over.id, over.sent);
  return result == 0 ? 0 : session_.fail(result);
}

void Http3Sender::StreamOffer::consume(std::size_t bytes) {
  accepted = true;
  sent += bytes;
  while (first < count && bytes >= vectors[first].len) bytes -= vectors[first++].len;
  if (bytes == 0) return;
  vectors[first].base += bytes;
  vectors[first].len -= bytes;
}

ngtcp2_ssize Http3Sender::write(ngtcp2_conn* quic, ngtcp2_path* path, ngtcp2_pkt_info* info, std::uint8_t* out,
                                std::size_t size, ngtcp2_tstamp now) {
  for (;;) {
    int result = 0;
    if (ngtcp2_conn_get_max_data_left(quic) == 0) {
      result = end_burst();
    } else if (offer_.id < 0) {
      result = next_offer();
    }
    if (result != 0) return result;
    const std::uint32_t flags = NGTCP2_WRITE_STREAM_FLAG_MORE | (offer_.fin != 0 ? NGTCP2_WRITE_STREAM_FLAG_FIN : 0U);
    ngtcp2_ssize accepted = -1;
    const ngtcp2_ssize written = ngtcp2_conn_writev_stream(
        quic, path, info, out, size, &accepted, flags, offer_.id,
        reinterpret_cast<const ngtcp2_vec*>(offer_.vectors + offer_.first), offer_.count - offer_.first, now);
    if (written == NGTCP2_ERR_STREAM_DATA_BLOCKED || written == NGTCP2_ERR_STREAM_SHUT_WR ||
        written == NGTCP2_ERR_STREAM_NOT_FOUND) {
      const std::int64_t id = offer_.id;
      if ((result = end_burst()) != 0) return result;
      if (written == NGTCP2_ERR_STREAM_DATA_BLOCKED) {
        nghttp3_conn_block_stream(session_.native(), id);
      } else {
        session_.writing_stopped(id);
      }
      continue;
    }
    if (accepted >= 0 && (written >= 0 || written == NGTCP2_ERR_WRITE_MORE)) {
      offer_.consume(static_cast<std::size_t>(accepted));
      if (offer_.first == offer_.count && (result = end_burst()) != 0) return result;
    }
    if (written == NGTCP2_ERR_WRITE_MORE) continue;
    return written;
  }
}

}  // namespace peer::net
