// Http3Session: nghttp3 for one connection: its streams and their heads.
//
// nghttp3's callbacks copy, queue and wake. Work that must call into ngtcp2 or nghttp3 is deferred to run_deferred().
// Loop: the connection's.
#pragma once

#include <nghttp3/nghttp3.h>
#include <ngtcp2/ngtcp2.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "libpeer/net/http3_sender.h"
#include "libpeer/net/http3_stream.h"

namespace peer::net {

class Connection;

class Http3Session {
 public:
  /// Fails: throws std::bad_alloc.
  Http3Session(Connection& connection, bool server);
  Http3Session(const Http3Session&) = delete;
  Http3Session& operator=(const Http3Session&) = delete;
  ~Http3Session();

  /// Opens this side's control and QPACK streams, once the keys allow it. False: the peer allows no such streams.
  bool open(ngtcp2_conn* quic);

  // ngtcp2's callbacks. They return 0, or NGTCP2_ERR_CALLBACK_FAILURE after telling the connection why.
  int receive(ngtcp2_conn* quic, std::int64_t id, std::span<const std::uint8_t> data, bool fin);
  int acknowledged(std::int64_t id, std::uint64_t bytes);
  int closed(ngtcp2_conn* quic, std::int64_t id, bool has_code, std::uint64_t code);
  int reset(std::int64_t id, std::uint64_t code);
  int unblocked(std::int64_t id);
  void streams_allowed(std::uint64_t total);

  // For the connection, outside callbacks.
  Http3Sender& sender() noexcept { return sender_; }
  Result<std::shared_ptr<Http3Stream>> request(ngtcp2_conn* quic, const RequestHead& head, bool has_body,
                                               const std::string& authority);
  Result<void> respond(Http3Stream& stream, const ResponseHead& head);
  void resume(Http3Stream& stream);
  /// Resets the named directions of a stream.
  void shut(ngtcp2_conn* quic, std::int64_t id, bool reading, bool writing, std::uint64_t code);
  /// Both the handle and the QUIC stream have ended.
  void forget(ngtcp2_conn* quic, Http3Stream& stream);
  /// Accepts no further requests.
  void refuse_more();
  /// Does the work that callbacks deferred.
  void run_deferred(ngtcp2_conn* quic);
  const std::map<std::int64_t, std::shared_ptr<Http3Stream>>& streams() const noexcept { return streams_; }

  // For the sender.
  nghttp3_conn* native() const noexcept { return h3_; }
  /// Closes the connection because of nghttp3's error `code`. Returns NGTCP2_ERR_CALLBACK_FAILURE.
  int fail(nghttp3_ssize code);
  /// The peer asked to stop sending on a stream, or the stream no longer exists.
  void writing_stopped(std::int64_t id);

 private:
  struct Http3Callbacks;
  Http3Stream* find(std::int64_t id) const;
  void reset_later(std::int64_t id, bool reading, bool writing, std::uint64_t code);
  /// Counts a request that the client cancelled. `stream` is null if its head has not arrived.
  void note_cancel(Http3Stream* stream);
  void stop_handler_later(const std::shared_ptr<Http3Stream>& stream);

  Connection& connection_;
  const bool server_;
  nghttp3_conn* h3_ = nullptr;
  Http3Sender sender_{*this};
  std::map<std::int64_t, std::shared_ptr<Http3Stream>> streams_;
  std::vector<std::move_only_function<void(ngtcp2_conn*)>> deferred_;
};

}  // namespace peer::net
