#include "support/net/memory_network.h"

#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/runtime/sleep.h"
#include "support/net/memory_connection.h"

namespace peer::test {

namespace {
constexpr std::size_t kMaxStreams = 64;  // as for HTTP/3
}  // namespace

namespace {

class MemoryClientStream final : public net::ClientStream {
 public:
  explicit MemoryClientStream(std::shared_ptr<MemoryStream> stream) : stream_(std::move(stream)) {}
  ~MemoryClientStream() override {
    if (!stream_->response || !stream_->down.drained() || !stream_->up.finished) stream_->fail(cancelled_request());
  }
  runtime::Task<Result<net::ResponseHead>> response(runtime::CancellationToken token) override {
    co_await stream_->responded.wait(token);
    if (!stream_->response) co_return std::unexpected(stream_->down.error.value_or(cancelled_request()));
    co_return *stream_->response;
  }
  net::BodyReader& reader() override { return stream_->down; }
  net::BodyWriter& writer() override { return stream_->up; }

 private:
  std::shared_ptr<MemoryStream> stream_;
};

class MemoryServerStream final : public net::ServerStream {
 public:
  MemoryServerStream(MemoryStream& stream, MemoryConnection& connection)
      : stream_(stream), connection_(connection), peer_(connection.client.id) {}
  const net::RequestHead& request() const override { return stream_.head; }
  const std::optional<PeerId>& peer() const override { return peer_; }
  net::SocketAddress remote_address() const override { return connection_.client.address; }
  const net::ChannelBinding& channel_binding() const override { return connection_.binding; }
  bool admitted() const override { return connection_.admitted; }
  void admit() override { connection_.admitted = true; }
  void grow_window() override {}
  net::BodyReader& reader() override { return stream_.up; }
  Result<void> respond(const net::ResponseHead& head, bool has_body) override {
    if (stream_.down.error) return std::unexpected(*stream_.down.error);
    PEER_CHECK(!stream_.response);
    stream_.response = head;
    if (!has_body) stream_.down.finish();
    stream_.responded.set();
    return {};
  }
  net::BodyWriter& writer() override { return stream_.down; }
  void reset() override { stream_.down.finished = false; }

 private:
  MemoryStream& stream_;
  MemoryConnection& connection_;
  std::optional<PeerId> peer_;
};

}  // namespace

struct MemoryTransport::Serving {
  Serving(net::RequestHandler h, const runtime::CancellationToken& scope) : handler(std::move(h)), stop(scope) {}

  static runtime::Task<void> answer(std::shared_ptr<Serving> serving, std::shared_ptr<MemoryConnection> connection,
                                    std::shared_ptr<MemoryStream> stream) {
    bool bug = false;
    try {
      MemoryServerStream handle(*stream, *connection);
      auto work = serving->handler(handle, stream->stop.token());
      co_await work;
    } catch (const runtime::Cancelled&) {
    } catch (const std::exception&) {
      bug = true;
    }
    if (!stream->response || !stream->down.finished) stream->down.fail(cancelled_request());
    if (!stream->up.drained()) stream->up.fail(cancelled_request());
    stream->responded.set();
    connection->streams.erase(stream);
    --serving->active;
    serving->idle.set();
    if (bug) connection->close(false, "a handler failed", "internal error");
  }

  net::RequestHandler handler;
  runtime::CancellationSource stop;
  std::size_t active = 0;
  runtime::Event idle;
};

namespace {

class MemoryLink final : public net::Link {
 public:
  using Begin = std::function<Result<std::shared_ptr<MemoryStream>>(const net::RequestHead& head)>;

  MemoryLink(std::shared_ptr<MemoryConnection> connection, Begin begin)
      : connection_(std::move(connection)), peer_(connection_->server.id), begin_(std::move(begin)) {}
  ~MemoryLink() override { close("no longer needed"); }
  const std::optional<PeerId>& peer() const override { return peer_; }
  net::SocketAddress remote_address() const override { return connection_->server.address; }
  const net::ChannelBinding& channel_binding() const override { return connection_->binding; }
  runtime::Task<Result<std::unique_ptr<net::ClientStream>>> request(const net::RequestHead& head, bool has_body,
                                                                    runtime::CancellationToken token) override {
    token.throw_if_requested();
    auto stream = begin_(head);
    if (!stream) co_return std::unexpected(stream.error());
    if (!has_body) (*stream)->up.finish();
    co_return std::unique_ptr<net::ClientStream>(std::make_unique<MemoryClientStream>(*stream));
  }
  void close(std::string_view reason) override { connection_->close(true, std::string(reason), std::string(reason)); }
  runtime::Task<Error> ended(runtime::CancellationToken token) override {
    const std::shared_ptr<MemoryConnection> connection = connection_;
    co_await connection->over.wait(std::move(token));
    co_return *connection->client.error;
  }
  net::LinkStats stats() const override { return {}; }

 private:
  std::shared_ptr<MemoryConnection> connection_;
  std::optional<PeerId> peer_;
  Begin begin_;
};

}  // namespace

std::unique_ptr<MemoryTransport> MemoryNetwork::attach(runtime::Scope& scope, const net::SocketAddress& address,
                                                       const PeerId& id) {
  return std::make_unique<MemoryTransport>(*this, scope, address, id);
}

MemoryTransport::MemoryTransport(MemoryNetwork& network, runtime::Scope& scope, const net::SocketAddress& address,
                                 const PeerId& id)
    : network_(network), scope_(scope, "memory endpoint"), address_(address), id_(id) {
  PEER_CHECK(network_.transports_.emplace(address, this).second);
}

MemoryTransport::~MemoryTransport() {
  PEER_CHECK(connections_.empty() && !serving_);
  network_.transports_.erase(address_);
}

void MemoryTransport::close_connections(bool inbound_only, const char* reason) {
  const auto all = connections_;
  for (const auto& [number, held] : all) {
    const auto connection = held.lock();
    if (!connection) continue;
    const bool ours = connection->client.transport == this;
    if (!ours || !inbound_only) connection->close(ours, reason, reason);
  }
}

runtime::Task<void> MemoryTransport::run(runtime::CancellationToken token) {
  try {
    co_await stopped_.wait(token);
  } catch (const runtime::Cancelled&) {
    // The only way out of the wait.
  }
  stopping_ = true;
  close_connections(false, "the endpoint is closing");
  scope_.request_stop();
  co_await scope_.join();
}

runtime::Task<void> MemoryTransport::serve(net::RequestHandler handler, runtime::CancellationToken token) {
  PEER_CHECK(!serving_);
  const auto serving = std::make_shared<Serving>(std::move(handler), scope_.token());
  serving_ = serving;
  runtime::Event forever;
  try {
    co_await forever.wait(token);
  } catch (const runtime::Cancelled&) {
    // The only way out of the wait.
  }
  serving_.reset();
  serving->stop.request();
  while (serving->active > 0) {
    serving->idle.reset();
    co_await serving->idle.wait(runtime::CancellationToken());
  }
  // The last responses are read before the connections close.
  co_await runtime::sleep_for(network_.executor(), std::chrono::milliseconds(1), runtime::CancellationToken());
  close_connections(true, "no longer serving");
}

runtime::Task<Result<std::unique_ptr<net::Link>>> MemoryTransport::dial(net::SocketAddress address,
                                                                        std::optional<PeerId> expected,
                                                                        runtime::CancellationToken token) {
  co_await runtime::sleep_for(network_.executor(), std::chrono::microseconds(100), token);
  const auto found = network_.transports_.find(address);
  if (found == network_.transports_.end() || stopping_) {
    co_await runtime::sleep_for(network_.executor(), net::kDialTimeout, token);
    co_return fail(ErrorCode::unreachable, "cannot connect to " + address.to_string() + ": no answer");
  }
  MemoryTransport* const other = found->second;
  if (!other->serving_) co_return fail(ErrorCode::unreachable, address.to_string() + " accepts no connections now");
  if (expected && *expected != other->id_) {
    co_return fail(ErrorCode::refused, address.to_string() + " is another peer: " + other->id_.brief());
  }
  auto connection = std::make_shared<MemoryConnection>(network_, *this, *other);
  connections_[connection->number] = connection;
  other->connections_[connection->number] = connection;
  MemoryLink::Begin begin = [connection, other](const net::RequestHead& head) -> Result<std::shared_ptr<MemoryStream>> {
    if (connection->over.is_set()) return std::unexpected(*connection->client.error);
    if (connection->streams.size() >= kMaxStreams) return fail(ErrorCode::busy, "the peer allows no more requests");
    if (!other->serving_) return fail(ErrorCode::refused, "the peer no longer serves");
    const std::shared_ptr<Serving> serving = other->serving_;
    auto stream = std::make_shared<MemoryStream>(head, connection->network.stats_, serving->stop.token());
    connection->streams.insert(stream);
    ++connection->network.stats_.requests;
    ++serving->active;
    other->scope_.spawn("request", Serving::answer(serving, connection, stream));
    return stream;
  };
  co_return std::unique_ptr<net::Link>(std::make_unique<MemoryLink>(std::move(connection), std::move(begin)));
}

}  // namespace peer::test
