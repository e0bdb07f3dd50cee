// Stream: one request as HTTP/3, its user and its connection share it.
//
// It is held by the connection while the QUIC stream exists or a user holds a handle, and by the handle. When the
// connection ends, `connection` turns null and what is unfinished fails with the connection's error.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "libpeer/net/link.h"
#include "libpeer/runtime/cancellation.h"
#include "libpeer/runtime/event.h"

namespace peer::net {

class Connection;

class Stream final : public BodyReader, public BodyWriter {
 public:
  Stream(Connection* connection, std::int64_t id, bool local)
      : connection_(connection), id_(id), local_(local), held_(local) {}

  // BodyReader, BodyWriter: for the user.
  runtime::Task<Result<std::size_t>> read(std::span<std::uint8_t> into, runtime::CancellationToken token) override;
  void release(std::size_t bytes) override;
  runtime::Task<Result<void>> write(SharedBytes bytes, runtime::CancellationToken token) override;
  void finish() override;
  runtime::Task<Result<ResponseHead>> response(runtime::CancellationToken token);
  Result<void> respond(const ResponseHead& head, bool has_body);
  /// The handle goes: what is not complete is reset.
  void abandon();

  // For HTTP/3, also inside its callbacks: nothing here calls back.
  void hold() noexcept { held_ = true; }
  void head_arrived() {
    headed_ = true;
    head_.set();
  }
  void body_arrived(std::span<const std::uint8_t> data);
  void body_ended();
  void read_failed(const Error& error);
  void write_failed(const Error& error);
  /// Fills up to `count` vectors with what was not given yet; the bytes stay until acknowledged or closed().
  template <class Vector>
  std::size_t give(Vector* vectors, std::size_t count);
  bool all_given() const noexcept { return given_ == leaving_.size(); }
  bool finished() const noexcept { return finished_; }
  void acknowledged(std::uint64_t bytes);
  /// The QUIC stream is over: nothing more comes, nothing that left is needed.
  void closed(const Error& why);
  /// The connection is over.
  void detach(const Error& why);

  std::int64_t id() const noexcept { return id_; }
  bool local() const noexcept { return local_; }
  bool open() const noexcept { return open_; }
  bool held() const noexcept { return held_; }
  Connection* connection() const noexcept { return connection_; }
  std::uint64_t unreleased() const noexcept { return unreleased_; }

  RequestHead request;
  ResponseHead answer;
  std::size_t header_bytes = 0;
  bool has_body = false;                              ///< this side sends one
  bool answering = false;                             ///< server: the head is on its way
  std::unique_ptr<runtime::CancellationSource> stop;  ///< server: the handler's

 private:
  std::size_t take(std::span<std::uint8_t> into);

  Connection* connection_;
  const std::int64_t id_;
  const bool local_;
  bool held_;  // by a handle; a remote's stream only once a handler has it
  bool open_ = true;

  runtime::Event head_;  // arrived, or never will
  bool headed_ = false;
  std::span<std::uint8_t> into_;  // of the read that waits
  std::size_t filled_ = 0;
  std::deque<std::vector<std::uint8_t>> arrived_;
  std::size_t taken_ = 0;         // of the first of them
  std::uint64_t unreleased_ = 0;  // arrived and not yet credited to the sender
  bool ended_ = false;
  std::optional<Error> read_error_;
  runtime::Event readable_;

  std::deque<SharedBytes> leaving_;
  std::size_t given_ = 0;         // how many of them HTTP/3 has
  std::size_t acknowledged_ = 0;  // bytes of the first
  std::size_t unacknowledged_ = 0;
  bool finished_ = false;
  std::optional<Error> write_error_;
  runtime::Event writable_;
};

template <class Vector>
std::size_t Stream::give(Vector* vectors, std::size_t count) {
  std::size_t n = 0;
  for (; n < count && given_ < leaving_.size(); ++n, ++given_) {
    const std::vector<std::uint8_t>& bytes = *leaving_[given_];
    vectors[n].base = const_cast<std::uint8_t*>(bytes.data());  // nghttp3 only reads
    vectors[n].len = bytes.size();
  }
  return n;
}

class ClientHandle final : public ClientStream {
 public:
  explicit ClientHandle(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}
  ~ClientHandle() override { stream_->abandon(); }
  runtime::Task<Result<ResponseHead>> response(runtime::CancellationToken token) override {
    return stream_->response(std::move(token));
  }
  BodyReader& reader() override { return *stream_; }
  BodyWriter& writer() override { return *stream_; }

 private:
  std::shared_ptr<Stream> stream_;
};

class ServerHandle final : public ServerStream {
 public:
  /// `admitted` is the connection's, and must outlive the handle.
  ServerHandle(std::shared_ptr<Stream> stream, std::optional<PeerId> peer, SocketAddress remote,
               const ChannelBinding& binding, bool& admitted)
      : stream_(std::move(stream)), peer_(peer), remote_(remote), binding_(binding), admitted_(admitted) {}
  ~ServerHandle() override { stream_->abandon(); }
  const RequestHead& request() const override { return stream_->request; }
  const std::optional<PeerId>& peer() const override { return peer_; }
  SocketAddress remote_address() const override { return remote_; }
  const ChannelBinding& channel_binding() const override { return binding_; }
  bool admitted() const override { return admitted_; }
  void admit() override { admitted_ = true; }
  BodyReader& reader() override { return *stream_; }
  Result<void> respond(const ResponseHead& head, bool has_body) override { return stream_->respond(head, has_body); }
  BodyWriter& writer() override { return *stream_; }

 private:
  std::shared_ptr<Stream> stream_;
  std::optional<PeerId> peer_;
  SocketAddress remote_;
  ChannelBinding binding_;
  bool& admitted_;
};

}  // namespace peer::net
