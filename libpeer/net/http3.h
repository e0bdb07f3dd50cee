// Http3: nghttp3 for one connection: the streams, their heads, and what goes into the next packet.
//
// Its callbacks copy, queue and wake; what must call back into ngtcp2 or nghttp3 is left to Connection::later().
#pragma once

#include <nghttp3/nghttp3.h>
#include <ngtcp2/ngtcp2.h>

#include <cstdint>
#include <map>
#include <memory>
#include <span>

#include "libpeer/net/stream.h"

namespace peer::net {

class Connection;

class Http3 {
 public:
  /// Fails: throws std::bad_alloc.
  Http3(Connection& connection, bool server);
  Http3(const Http3&) = delete;
  Http3& operator=(const Http3&) = delete;
  ~Http3();

  /// Opens this side's control and QPACK streams, once keys allow. False: the peer allows none.
  bool open(ngtcp2_conn* quic);

  // ngtcp2's callbacks. Return 0, or NGTCP2_ERR_CALLBACK_FAILURE with the connection told why.
  int receive(ngtcp2_conn* quic, std::int64_t id, std::span<const std::uint8_t> data, bool fin);
  int acknowledged(std::int64_t id, std::uint64_t bytes);
  int closed(ngtcp2_conn* quic, std::int64_t id, bool has_code, std::uint64_t code);
  int reset(std::int64_t id, std::uint64_t code);
  int unblocked(std::int64_t id);
  void streams_allowed(std::uint64_t total);
  /// One packet, by ngtcp2_conn_writev_stream. After the last of a burst comes end_burst(), before anything else is
  /// done.
  ngtcp2_ssize write(ngtcp2_conn* quic, ngtcp2_path* path, ngtcp2_pkt_info* info, std::uint8_t* out, std::size_t size,
                     ngtcp2_tstamp now);
  int end_burst();

  Result<std::shared_ptr<Stream>> request(ngtcp2_conn* quic, const RequestHead& head, bool has_body,
                                          const std::string& authority);
  Result<void> respond(Stream& stream, const ResponseHead& head);
  void resume(Stream& stream);
  /// Resets what is named, outside callbacks.
  void shut(ngtcp2_conn* quic, std::int64_t id, bool reading, bool writing, std::uint64_t code);
  /// The handle has gone and the QUIC stream too.
  void forget(ngtcp2_conn* quic, Stream& stream);
  /// No further requests are taken.
  void refuse_more();
  const std::map<std::int64_t, std::shared_ptr<Stream>>& streams() const noexcept { return streams_; }

 private:
  struct Callbacks;
  static constexpr std::size_t kVectors = 16;
  /// What nghttp3 offered of one stream, and how much of it has left in this burst.
  struct Outgoing {
    std::int64_t id = -1;
    int fin = 0;
    nghttp3_vec vectors[kVectors];
    std::size_t first = 0;
    std::size_t count = 0;
    std::size_t taken = 0;
    bool accepted = false;  ///< something of it was taken, be it only the end of the stream
    void take(std::size_t bytes);
  };
  int next_outgoing();
  int settle_outgoing();
  int failed(nghttp3_ssize code);
  Stream* find(std::int64_t id) const;

  Connection& connection_;
  const bool server_;
  nghttp3_conn* h3_ = nullptr;
  Outgoing out_;
  std::map<std::int64_t, std::shared_ptr<Stream>> streams_;
};

}  // namespace peer::net
