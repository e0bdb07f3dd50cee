// Connection: one ngtcp2_conn with its TLS session and its HTTP/3 streams.
//
// 1. Nothing of ngtcp2 or nghttp3 is entered from inside their callbacks: those copy, queue and wake, and settle() does
// the rest.
// 2. Bytes leave only in flush(), which the core calls once a turn for connections that were touched.
// 3. It ends once, in finish(): streams are detached, ngtcp2's and TLS's objects are gone, `over` is set. The object
// itself
//    lives as long as a Link or its driving task holds it.
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/net/core.h"
#include "libpeer/net/http3.h"
#include "libpeer/net/link.h"
#include "libpeer/net/tls.h"
#include "libpeer/runtime/event.h"
#include "libpeer/runtime/scope.h"

namespace peer::net {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  /// What a client's first packet told, and Retry where it went before.
  struct Accept {
    ngtcp2_pkt_hd header;
    std::optional<ngtcp2_cid> original;  ///< with a valid Retry token
    SocketAddress local, remote;
  };
  Connection(Core& core, SocketAddress remote, std::optional<PeerId> expected);
  Connection(Core& core, const Accept& accept);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  // For the core.
  /// Returns ngtcp2's verdict on the datagram; the connection may be over afterwards.
  int receive(const SocketAddress& local, const SocketAddress& remote, Ecn ecn, std::span<const std::uint8_t> data);
  void flush();
  /// Ends it at the next flush, with a CONNECTION_CLOSE that carries `code` and `reason` (the local error's words by
  /// default).
  void close_http(std::uint64_t code, Error local, std::optional<std::string_view> reason = {});
  void close_quic(std::uint64_t code, Error local);
  /// Tells every handler to stop and takes no further requests.
  void stop_serving();
  /// Closes as soon as the last stream is done.
  void close_when_idle();

  bool is_server() const noexcept { return server_; }
  bool is_over() const noexcept { return over_; }
  bool half_open() const noexcept { return server_ && !ready_; }
  const std::optional<PeerId>& peer() const noexcept { return peer_; }
  const ChannelBinding& channel_binding() const noexcept { return binding_; }
  SocketAddress remote() const noexcept { return remote_; }
  const Error& error() const noexcept { return error_; }
  LinkStats stats() const;
  Result<std::shared_ptr<Stream>> request(const RequestHead& head, bool has_body);

  // For streams; never inside callbacks.
  void credit(Stream& stream, std::size_t bytes);
  void resume(Stream& stream);
  Result<void> respond(Stream& stream, const ResponseHead& head);
  void abandoned(Stream& stream, bool read_done, bool write_done);

  // For HTTP/3, inside callbacks.
  void discard(std::int64_t id, std::size_t bytes);
  void request_arrived(const std::shared_ptr<Stream>& stream);
  void reset_later(std::int64_t id, bool reading, bool writing, std::uint64_t code);
  void stop_later(const std::shared_ptr<Stream>& stream);

  runtime::Event settled;               ///< ready for requests, or over
  runtime::Event over;                  ///< see 3
  std::optional<runtime::Scope> scope;  ///< of its handlers; the driving task joins it
  bool admitted = false;                ///< see ServerStream
  bool touched = false;                 ///< the core's: it waits for a flush
  std::uint64_t serial = 0;             ///< the core's

 private:
  struct Callbacks;
  struct Closing {
    ngtcp2_ccerr error;
    std::string reason;
    Error local;
  };

  void set_up(const Accept* accept);
  static ngtcp2_path path_of(sockaddr_storage& local, sockaddr_storage& remote);
  static ngtcp2_ssize write_packet(ngtcp2_conn* quic, ngtcp2_path* path, ngtcp2_pkt_info* info, std::uint8_t* out,
                                   std::size_t size, ngtcp2_tstamp now, void* user);
  void close(Closing closing);
  void close_library(int code);
  void settle();
  void note_arrivals();
  void send_close();
  bool write();
  void arm(bool soon);
  void handshake_completed();
  Error remote_close() const;
  std::size_t burst_limit() const;
  void finish(Error error, std::vector<std::uint8_t> last_packet, bool linger);

  Core* core_;  // null once over
  const bool server_;
  std::optional<PeerId> expected_, peer_;
  ChannelBinding binding_;
  SocketAddress local_, remote_;
  sockaddr_storage native_local_{}, native_remote_{};
  ngtcp2_conn* quic_ = nullptr;
  std::optional<TlsSession> tls_;
  std::optional<Http3> http3_;
  std::vector<ngtcp2_cid> cids_;
  std::vector<std::move_only_function<void()>> later_;
  std::optional<Closing> closing_;
  bool ready_ = false;
  bool over_ = false;
  bool close_when_idle_ = false;
  Error error_;
  LinkStats last_stats_;
  runtime::TimePoint last_received_{};
  std::uint64_t packets_received_ = 0;
  std::optional<runtime::Executor::Timer> timer_;
};

}  // namespace peer::net
