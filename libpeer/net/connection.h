// Connection: one ngtcp2_conn with its TLS session and its HTTP/3 session.
//
// 1. Callbacks of ngtcp2 and nghttp3 never call back into these libraries: they copy, queue and wake. flush() does the
//    deferred work.
// 2. Bytes are sent only by flush(), which the core calls once a turn for every connection that was touched.
// 3. A connection ends once, in finish(): the streams are detached, the objects of ngtcp2 and TLS are destroyed, and
//    `over` is set. The Connection itself lives as long as a Link or the task that joins its handlers holds it.
// Loop: the endpoint's.
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "libpeer/net/close_reason.h"
#include "libpeer/net/connection_path.h"
#include "libpeer/net/connection_slots.h"
#include "libpeer/net/endpoint_core.h"
#include "libpeer/net/http3_session.h"
#include "libpeer/net/link.h"
#include "libpeer/net/link_meter.h"
#include "libpeer/net/quic_memory.h"
#include "libpeer/net/tls.h"
#include "libpeer/runtime/event.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/token_bucket.h"

namespace peer::net {

/// What a connection has been granted, and what it uses.
struct ConnectionStanding {
  bool admitted = false;         ///< see ServerStream::admit()
  bool window_grown = false;     ///< see ServerStream::grow_window()
  bool requested = false;        ///< a request has arrived
  runtime::TimePoint busy_at{};  ///< when it last had a request in progress, or began
  runtime::TokenBucket cancels;  ///< requests that the client cancelled
  ConnectionSlot slot;           ///< of a client
  QuicMemory memory;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  /// A client's first packet.
  struct ClientInitial {
    ngtcp2_pkt_hd header;
    std::optional<ngtcp2_cid> original;  ///< the client's first connection id, if it answers a Retry
    SocketAddress local, remote;
  };
  /// Dials. `expected`: the peer id that the other side must prove, if any.
  Connection(EndpointCore& core, SocketAddress remote, std::optional<PeerId> expected);
  Connection(EndpointCore& core, const ClientInitial& initial);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  // For the core, the acceptor and the request server.
  /// Passes a datagram to ngtcp2 and returns its result. The connection may be over afterwards.
  int receive(const SocketAddress& local, const SocketAddress& remote, Ecn ecn, std::span<const std::uint8_t> data);
  void flush();
  /// Closes the connection in the next flush, with a CONNECTION_CLOSE that carries `code` and `reason` (by default, the
  /// message of `local`).
  void close_http(std::uint64_t code, Error local, std::optional<std::string_view> reason = {});
  /// Stops every handler and accepts no further requests.
  void stop_serving();
  /// Closes as soon as no stream is left.
  void close_when_idle();

  bool is_server() const noexcept { return server_; }
  bool is_over() const noexcept { return quic_ == nullptr; }
  /// No request is in progress.
  bool is_idle() const noexcept { return !http3_ || http3_->streams().empty(); }
  /// This side dialed it, or has accepted a session on it.
  bool carries_session() const noexcept {
    return !is_over() && (server_ ? standing.window_grown || standing.admitted : settled.is_set());
  }
  const std::optional<PeerId>& peer() const noexcept { return identity_.proven; }
  const ChannelBinding& channel_binding() const noexcept { return identity_.binding; }
  const SocketAddress& remote() const noexcept { return path_.remote(); }
  const Error& error() const noexcept { return ending_.error; }
  LinkStats stats() const { return meter_.read(quic_); }
  Result<std::shared_ptr<Http3Stream>> request(const RequestHead& head, bool has_body);

  // For streams, outside callbacks.
  void credit(Http3Stream& stream, std::size_t bytes);
  void grow_window(Http3Stream& stream);
  /// See ServerStream::admit().
  void admit();
  void resume(Http3Stream& stream);
  Result<void> respond(Http3Stream& stream, const ResponseHead& head);
  void abandoned(Http3Stream& stream);

  /// The client cancelled a request.
  void request_cancelled();

  // For HTTP/3, inside callbacks.
  void discard(std::int64_t id, std::size_t bytes);
  /// Returns whether a handler was started.
  bool request_arrived(const std::shared_ptr<Http3Stream>& stream);

  runtime::Event settled;               ///< ready for requests, or over
  runtime::Event over;                  ///< set by finish()
  std::optional<runtime::Scope> scope;  ///< the scope of its handlers
  ConnectionStanding standing;
  bool touched = false;  ///< used by the core: it is on the list of connections to flush

 private:
  struct QuicCallbacks;
  /// The peer id that the other side must have, and the one that it has proven.
  struct RemoteIdentity {
    std::optional<PeerId> expected, proven;
    ChannelBinding binding;
  };
  struct ConnectionEnding {
    std::optional<CloseReason> close;  ///< to be sent in the next flush
    bool when_idle = false;
    Error error;  ///< why the connection ended
  };

  void set_up(const ClientInitial* initial);
  void handshake_completed();
  void close(CloseReason reason);
  void close_library(int code);
  /// Closes the connection if its reassembly needs too much memory.
  void check_memory();
  /// When it must be closed if it stays idle.
  runtime::TimePoint idle_deadline() const;
  /// Closes the connection at its deadline.
  void check_idle(runtime::TimePoint now);
  void run_deferred();
  bool handle_expiry(ngtcp2_tstamp now);
  bool write();
  void arm(bool soon);
  void send_close();
  void finish(Error error, std::vector<std::uint8_t> last_packet, bool linger);

  EndpointCore* core_;  // null once over
  const bool server_;
  RemoteIdentity identity_;
  ConnectionPath path_;
  ngtcp2_conn* quic_ = nullptr;  // null once over
  std::optional<TlsSession> tls_;
  std::optional<Http3Session> http3_;
  ConnectionEnding ending_;
  mutable LinkMeter meter_;
  std::optional<runtime::Executor::Timer> timer_;
};

}  // namespace peer::net
