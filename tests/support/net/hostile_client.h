// HostileClient: a QUIC client whose packets contain whatever a test wants.
//
// The handshake, acknowledgements and keys are ngtcp2's. Before a packet is encrypted, its frames are replaced, so the
// client can break every rule above the packet layer. Loop: that of its socket.
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/base/random.h"
#include "libpeer/net/datagram_socket.h"
#include "libpeer/net/endpoint.h"
#include "libpeer/net/tls.h"
#include "libpeer/runtime/executor.h"

namespace peer::test {

using Frames = std::vector<std::uint8_t>;

/// Appends a STREAM frame with an offset and a length.
void add_stream_frame(Frames& frames, std::int64_t id, std::uint64_t offset, std::span<const std::uint8_t> data,
                      bool fin = false);
void add_reset_frame(Frames& frames, std::int64_t id, std::uint64_t final_size);
/// The bytes that begin a request: an HTTP/3 HEADERS frame. "POST" and "GET" are possible.
std::vector<std::uint8_t> request_bytes(std::string_view method, std::string_view path);

class HostileClient final : public net::DatagramReceiver {
 public:
  /// With `certificate` false, the client is anonymous.
  HostileClient(runtime::Executor& executor, std::unique_ptr<net::DatagramSocket> socket, net::SocketAddress server,
                std::uint64_t seed, bool certificate = false);
  HostileClient(const HostileClient&) = delete;
  HostileClient& operator=(const HostileClient&) = delete;
  ~HostileClient() override;

  /// Shakes hands. False: the server refused.
  runtime::Task<bool> connect(runtime::Duration limit = std::chrono::seconds(3));
  /// The next bidirectional stream, if the server allows one.
  std::optional<std::int64_t> open_stream();
  /// Sends one packet with these frames. Waits for the congestion window. False: the connection is over.
  runtime::Task<bool> send(Frames frames);
  /// Sends packets that contain only PING, and acknowledges, until `time` is over or the connection is.
  runtime::Task<void> stay(runtime::Duration time);
  runtime::Task<void> close();

  bool over() const noexcept { return over_; }
  /// The error code of the server's CONNECTION_CLOSE.
  const std::optional<std::uint64_t>& closed_with() const noexcept { return closed_with_; }

  void on_datagram(const net::SocketAddress& local, const net::SocketAddress& remote, net::Ecn ecn,
                   std::span<const std::uint8_t> data) override;
  void on_burst_end() override { flush(); }
  void on_writable() override {}
  void on_socket_error(const Error&) override {}

 private:
  struct HostileCallbacks;
  void flush();
  void arm();
  ngtcp2_path path() noexcept;

  runtime::Executor& executor_;
  std::unique_ptr<net::DatagramSocket> socket_;
  net::SocketAddress server_;
  std::unique_ptr<Random> random_;
  net::EndpointOptions options_;
  net::TlsContext contexts_;
  std::optional<net::TlsSession> tls_;
  ngtcp2_conn* quic_ = nullptr;
  Frames replacement_;  // of the next packet's frames
  std::optional<std::int64_t> filler_;
  std::optional<runtime::Executor::Timer> timer_;
  bool over_ = false;
  std::optional<std::uint64_t> closed_with_;
  sockaddr_storage native_local_{}, native_remote_{};
};

}  // namespace peer::test
