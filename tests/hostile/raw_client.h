// RawClient: a QUIC client that obeys nobody: it chooses its windows, resets streams at any time, and sends any QUIC
// frame that it likes. It uses ngtcp2 directly, with the TLS session of libpeer/net and a socket of its own.
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "hostile/wire.h"
#include "libpeer/base/random.h"
#include "libpeer/net/address.h"
#include "libpeer/net/tls.h"

namespace peer::hostile {

struct ClientOptions {
  net::SocketAddress target;
  std::optional<net::SocketAddress> source;
  std::uint64_t stream_window = 1 << 20;  ///< how much of each response the server may send before it is read
  bool reads = true;                      ///< extends the windows
  double keep_alive = 10;                 ///< seconds
};

class RawClient {
 public:
  /// `tls` and `random` must outlive the client. Fails: throws if there is no socket.
  RawClient(const ClientOptions& options, const net::TlsContext& tls, Random& random);
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient();

  bool ready() const noexcept { return ready_; }  ///< the handshake is complete
  bool dead() const noexcept { return dead_; }
  int descriptor() const noexcept { return fd_; }
  std::string error() const;  ///< why the connection ended, if the server said so
  ngtcp2_tstamp expiry() const;
  std::uint64_t queued() const noexcept { return queued_; }  ///< bytes that wait for the server's windows
  std::uint64_t streams_left() const;
  const ngtcp2_transport_params* server_params() const;

  /// Opens a bidirectional stream. Returns nothing if the server's stream limit is reached.
  std::optional<std::int64_t> open();
  void send(std::int64_t stream, const Bytes& bytes, bool end = false);
  /// Resets the stream in both directions. What still waits is dropped.
  void reset(std::int64_t stream);
  /// Sends a packet with exactly these frames. `carrier` is a stream that pays for them; the server never sees it.
  void send_frames(std::int64_t carrier, const Bytes& frames);

  void receive();  ///< reads the socket until it is empty
  void turn();     ///< handles timers and sends what can be sent

  std::function<void(std::int64_t stream)> on_data;    ///< bytes of a response have arrived
  std::function<void(std::int64_t stream)> on_closed;  ///< the stream is over
  std::uint64_t sent = 0, received = 0;                ///< UDP payload

 private:
  struct Callbacks;
  struct Pending {
    std::deque<Bytes> pieces;
    std::size_t at = 0;  // of the first piece
    bool end = false;
  };
  /// ngtcp2 does not copy: what was sent stays until it is acknowledged, or the stream closes.
  struct Sent {
    std::deque<Bytes> pieces;
    std::uint64_t first = 0;  // the stream's offset of the first piece
  };
  struct Crafted {
    std::int64_t carrier;
    Bytes frames;
  };
  void write();
  ngtcp2_ssize write_stream(ngtcp2_pkt_info& info, std::uint8_t* out, std::size_t size);
  void transmit(const std::uint8_t* bytes, std::size_t size);

  Random& random_;
  ClientOptions options_;
  int fd_ = -1;
  sockaddr_storage local_{}, remote_{};
  ngtcp2_path path_{};
  ngtcp2_conn* quic_ = nullptr;
  std::optional<net::TlsSession> tls_;
  bool ready_ = false, dead_ = false;
  std::uint64_t queued_ = 0;
  std::map<std::int64_t, Pending> pending_;
  std::map<std::int64_t, Sent> kept_;
  std::deque<Crafted> crafted_;
};

ngtcp2_tstamp now();

}  // namespace peer::hostile
