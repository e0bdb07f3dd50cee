// ConnectionLink: the Link over a connection that this side dialed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "libpeer/net/connection.h"
#include "libpeer/net/link.h"

namespace peer::net {

class ConnectionLink final : public Link {
 public:
  explicit ConnectionLink(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  ~ConnectionLink() override { close("no longer needed"); }
  const std::optional<PeerId>& peer() const override { return connection_->peer(); }
  SocketAddress remote_address() const override { return connection_->remote(); }
  const ChannelBinding& channel_binding() const override { return connection_->channel_binding(); }
  runtime::Task<Result<std::unique_ptr<ClientStream>>> request(const RequestHead& head, bool has_body,
                                                               runtime::CancellationToken token) override {
    token.throw_if_requested();
    Result<std::shared_ptr<Http3Stream>> stream = connection_->request(head, has_body);
    if (!stream) co_return std::unexpected(std::move(stream.error()));
    co_return std::make_unique<ClientHandle>(std::move(*stream));
  }
  void close(std::string_view reason) override {
    connection_->close_http(NGHTTP3_H3_NO_ERROR, {ErrorCode::unreachable, std::string(reason)}, reason);
  }
  runtime::Task<Error> ended(runtime::CancellationToken token) override {
    const std::shared_ptr<Connection> connection = connection_;
    co_await connection->over.wait(std::move(token));
    co_return connection->error();
  }
  LinkStats stats() const override { return connection_->stats(); }

 private:
  std::shared_ptr<Connection> connection_;
};

}  // namespace peer::net
