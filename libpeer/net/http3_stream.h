// Http3Stream: one request over HTTP/3, shared by its user and its connection.
//
// The connection holds it while the QUIC stream exists or a user holds a handle; the handle holds it too. When the
// connection ends, connection() becomes null and everything unfinished fails with the connection's error.
// Loop: the connection's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "libpeer/net/link.h"
#include "libpeer/net/stream_body.h"
#include "libpeer/runtime/cancellation.h"
#include "libpeer/runtime/event.h"

namespace peer::net {

class Connection;

class Http3Stream final : public BodyReader, public BodyWriter {
 public:
  Http3Stream(Connection* connection, std::int64_t id, bool local)
      : connection_(connection), id_(id), local_(local), held_(local) {}

  // BodyReader, BodyWriter and the rest that handles use.
  runtime::Task<Result<std::size_t>> read(std::span<std::uint8_t> into, runtime::CancellationToken token) override;
  void release(std::size_t bytes) override;
  runtime::Task<Result<void>> write(SharedBytes bytes, runtime::CancellationToken token) override;
  void finish() override;
  runtime::Task<Result<ResponseHead>> response(runtime::CancellationToken token);
  Result<void> respond(const ResponseHead& head, bool has_body);
  void grow_window();
  void admit(bool& admitted);
  /// The handle is destroyed: resets what is not complete.
  void abandon();

  // For HTTP/3, also inside its callbacks: nothing here calls back.
  void hold() noexcept { held_ = true; }
  void head_arrived();
  IncomingBody& incoming() noexcept { return incoming_; }
  OutgoingBody& outgoing() noexcept { return outgoing_; }
  void fail_reading(const Error& error);
  /// The QUIC stream is closed: nothing more arrives, and what was sent is no longer needed.
  void closed(const Error& why);
  /// The connection is over.
  void detach(const Error& why);

  std::int64_t id() const noexcept { return id_; }
  bool local() const noexcept { return local_; }  ///< this side sent the request
  bool open() const noexcept { return open_; }    ///< the QUIC stream is not closed
  bool held() const noexcept { return held_; }
  Connection* connection() const noexcept { return connection_; }

  RequestHead request;
  ResponseHead answer;
  std::size_t header_bytes = 0;
  bool has_body = false;                              ///< this side sends a body
  bool answering = false;                             ///< server: respond() was called
  bool settled = false;                               ///< server: reset by this side, or counted as cancelled
  bool window_grown = false;                          ///< server: grow_window() was called
  bool broken_off = false;                            ///< server: reset() was called
  std::unique_ptr<runtime::CancellationSource> stop;  ///< server: stops the handler

 private:
  Connection* connection_;
  const std::int64_t id_;
  const bool local_;
  bool held_;  // a handle exists; for a request from the other side, once its handler has started
  bool open_ = true;
  runtime::Event head_;  // the head has arrived, or never will
  bool headed_ = false;
  IncomingBody incoming_;
  OutgoingBody outgoing_;
};

class ClientHandle final : public ClientStream {
 public:
  explicit ClientHandle(std::shared_ptr<Http3Stream> stream) : stream_(std::move(stream)) {}
  ~ClientHandle() override { stream_->abandon(); }
  runtime::Task<Result<ResponseHead>> response(runtime::CancellationToken token) override {
    return stream_->response(std::move(token));
  }
  BodyReader& reader() override { return *stream_; }
  BodyWriter& writer() override { return *stream_; }

 private:
  std::shared_ptr<Http3Stream> stream_;
};

class ServerHandle final : public ServerStream {
 public:
  /// `admitted` belongs to the connection and must outlive the handle.
  ServerHandle(std::shared_ptr<Http3Stream> stream, std::optional<PeerId> peer, SocketAddress remote,
               const ChannelBinding& binding, bool& admitted)
      : stream_(std::move(stream)), peer_(peer), remote_(remote), binding_(binding), admitted_(admitted) {}
  ~ServerHandle() override { stream_->abandon(); }
  const RequestHead& request() const override { return stream_->request; }
  const std::optional<PeerId>& peer() const override { return peer_; }
  SocketAddress remote_address() const override { return remote_; }
  const ChannelBinding& channel_binding() const override { return binding_; }
  bool admitted() const override { return admitted_; }
  void admit() override { stream_->admit(admitted_); }
  void grow_window() override { stream_->grow_window(); }
  BodyReader& reader() override { return *stream_; }
  Result<void> respond(const ResponseHead& head, bool has_body) override { return stream_->respond(head, has_body); }
  BodyWriter& writer() override { return *stream_; }
  void reset() override { stream_->broken_off = true; }

 private:
  std::shared_ptr<Http3Stream> stream_;
  std::optional<PeerId> peer_;
  SocketAddress remote_;
  ChannelBinding binding_;
  bool& admitted_;
};

}  // namespace peer::net
