#include "libpeer/net/core.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/base/fault.h"
#include "libpeer/net/connection.h"
#include "libpeer/runtime/sleep.h"

namespace peer::net {
namespace {

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
    Result<std::shared_ptr<Stream>> stream = connection_->request(head, has_body);
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

// Derived from the private key, so that a peer that restarts can end the connections it has forgotten. Per port: else
// one endpoint would give away the tokens of another.
std::array<std::uint8_t, 32> reset_secret_of(const Identity& identity, std::uint16_t port) {
  std::string input = "peerd stateless reset " + std::to_string(port) + "\n" + identity.to_pem();
  std::array<std::uint8_t, 32> secret{};
  PEER_CHECK(EVP_Digest(input.data(), input.size(), secret.data(), nullptr, EVP_sha256(), nullptr) == 1);
  OPENSSL_cleanse(input.data(), input.size());
  return secret;
}

}  // namespace

Core::Core(runtime::Scope& parent, std::unique_ptr<DatagramSocket> socket, EndpointOptions options)
    : socket_(std::move(socket)),
      options_(std::move(options)),
      tls_(options_.identity, options_.present_certificate),
      scope_(parent, "endpoint"),
      burst_(limits::kBurstBytes) {
  random().fill(token_secret_);
  reset_secret_ = reset_secret_of(options_.identity, socket_->local_address().port());
}

Core::~Core() { PEER_CHECK(connections_.empty() && closed_.empty() && !serving_); }

ngtcp2_tstamp Core::to_quic(runtime::TimePoint at) {
  // Never 0, where virtual time begins: ngtcp2 takes that for "not set" in places.
  const auto since = at.time_since_epoch() + std::chrono::seconds(1);
  return static_cast<ngtcp2_tstamp>(std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
}

ngtcp2_tstamp Core::now() const { return to_quic(executor().now()); }

runtime::TimePoint Core::arrival() {
  if (!arrival_) arrival_ = executor().now();
  return *arrival_;
}

void Core::on_burst_end() {
  arrival_.reset();
  flush_touched();
}

runtime::Task<void> Core::run(runtime::CancellationToken token) {
  PEER_CHECK(!std::exchange(begun_, true));
  socket_->start(*this);
  started_.set();
  std::exception_ptr failure;
  try {
    while (!token.requested() && !socket_error_) {
      co_await work_.wait(token);
      PEER_FAULT_POINT("endpoint");
      work_.reset();
      flush_touched();
    }
  } catch (const runtime::Cancelled&) {
    // Asked to stop.
  } catch (...) {
    failure = std::current_exception();  // the connections are closed all the same: they live in this endpoint's scope
  }
  stopping_ = true;
  auto closing = close_all();
  co_await closing;
  if (failure) std::rethrow_exception(failure);
  if (socket_error_) throw std::runtime_error("the UDP socket failed: " + socket_error_->message);
}

runtime::Task<void> Core::close_all() {
  started_.set();
  const std::map<std::uint64_t, std::shared_ptr<Connection>> all = connections_;
  for (const auto& [serial, connection] : all) {
    connection->close_http(NGHTTP3_H3_NO_ERROR, {ErrorCode::unreachable, "the endpoint is closing"});
  }
  flush_touched();
  if (blocked() && !socket_error_) {
    drained_.reset();
    const runtime::CancellationToken never;
    runtime::Deadline deadline(executor(), limits::kDrain, never);
    try {
      co_await drained_.wait(deadline.token());
    } catch (const runtime::Cancelled&) {
      // The network is dead: the peers' idle timeouts will tell them.
    }
  }
  scope_.request_stop();
  co_await scope_.join();
  while (!closed_.empty()) drop(closed_.begin());
  unsent_.clear();
  co_await socket_->close();
}

runtime::Task<void> Core::serve(RequestHandler handler, runtime::CancellationToken token) {
  PEER_CHECK(!serving_);
  const auto serving = std::make_shared<Serving>(std::move(handler));
  serving_ = serving;
  runtime::Event forever;
  try {
    co_await forever.wait(token);
  } catch (const runtime::Cancelled&) {
    // The only way on.
  }
  serving_.reset();
  const runtime::CancellationToken never;
  std::map<std::uint64_t, std::shared_ptr<Connection>> all = connections_;
  std::erase_if(all, [](const auto& entry) { return !entry.second->is_server(); });
  for (const auto& [serial, connection] : all) connection->stop_serving();
  const auto idle = [&serving] { return serving->active == 0; };
  co_await serving->idle.wait_until(idle, never);
  // The last answers go out, then the connections close; a dead network does not hold this up for long.
  for (const auto& [serial, connection] : all) connection->close_when_idle();
  runtime::Deadline deadline(executor(), limits::kDrain, never);
  for (const auto& [serial, connection] : all) {
    try {
      co_await connection->over.wait(deadline.token());
    } catch (const runtime::Cancelled&) {
      connection->close_http(NGHTTP3_H3_NO_ERROR, {ErrorCode::unreachable, "no longer serving"});
    }
  }
}

runtime::Task<Result<std::unique_ptr<Link>>> Core::dial(SocketAddress address, std::optional<PeerId> expected,
                                                        runtime::CancellationToken token) {
  co_await started_.wait(token);
  token.throw_if_requested();
  if (stopping_)
    co_return fail(ErrorCode::unreachable, "cannot connect to " + address.to_string() + ": the endpoint is closing");
  if (connections_.size() >= limits::kConnections) {
    co_return fail(ErrorCode::busy, "cannot connect to " + address.to_string() + ": too many connections are open");
  }
  const auto connection = std::make_shared<Connection>(*this, address, expected);
  add(connection);
  schedule(*connection);
  auto link = std::make_unique<ConnectionLink>(connection);  // closes it if this is cancelled
  co_await connection->settled.wait(token);
  if (connection->is_over()) co_return std::unexpected(connection->error());
  co_return std::unique_ptr<Link>(std::move(link));
}

void Core::add(const std::shared_ptr<Connection>& connection) {
  connection->serial = next_serial_++;
  connections_.emplace(connection->serial, connection);
  scope_.spawn(connection->scope->name(), drive(*this, connection));
}

// The parent of a connection's handlers: joins them when it is over.
runtime::Task<void> Core::drive(Core& core, std::shared_ptr<Connection> connection) {
  const runtime::CancellationToken never;
  co_await connection->over.wait(never);
  connection->scope->request_stop();
  co_await connection->scope->join();
  connection->scope.reset();
  core.connections_.erase(connection->serial);
}

bool Core::begin_request(Connection& connection, std::shared_ptr<Stream> stream) {
  if (!serving_) return false;
  stream->hold();
  stream->stop = std::make_unique<runtime::CancellationSource>(connection.scope->token());
  ++serving_->active;
  connection.scope->spawn("request", answer(connection.shared_from_this(), std::move(stream), serving_, options_.log));
  return true;
}

runtime::Task<void> Core::answer(std::shared_ptr<Connection> connection, std::shared_ptr<Stream> stream,
                                 std::shared_ptr<Serving> serving, Log log) {
  std::exception_ptr error;
  const runtime::CancellationToken token = stream->stop->token();
  {
    ServerHandle handle(stream, connection->peer(), connection->remote(), connection->channel_binding(),
                        connection->admitted);
    try {
      auto task = serving->handler(handle, token);
      co_await task;
    } catch (const runtime::Cancelled&) {
      if (!token.requested()) error = std::current_exception();
    } catch (...) {
      error = std::current_exception();
    }
  }
  if (error) {
    const std::string what = runtime::describe(error);
    log.warn("a request handler failed, its connection is closed: " + what);
    connection->close_http(NGHTTP3_H3_INTERNAL_ERROR, {ErrorCode::internal, "a request handler failed: " + what},
                           "internal error");
  }
  if (--serving->active == 0) serving->idle.set();
}

void Core::transmit(const SocketAddress& local, const SocketAddress& remote, std::uint8_t ecn,
                    std::span<const std::uint8_t> data, std::size_t segment) {
  const Ecn mark = static_cast<Ecn>(ecn & 3U);
  // Too large means a path MTU probe, or the path got narrower: lost either way.
  if (!blocked() && socket_->send(local, remote, mark, data, segment) != SendStatus::would_block) return;
  unsent_.push_back({local, remote, mark, {data.begin(), data.end()}, segment});
}

void Core::on_writable() {
  while (!unsent_.empty()) {
    const Packet& packet = unsent_.front();
    if (socket_->send(packet.local, packet.remote, packet.ecn, packet.data, packet.segment) == SendStatus::would_block)
      return;
    unsent_.pop_front();
  }
  drained_.set();
  for (const std::uint64_t serial : std::exchange(stalled_, {})) {
    const auto at = connections_.find(serial);
    if (at != connections_.end()) touch(*at->second);
  }
  flush_touched();
}

void Core::on_socket_error(const Error& error) {
  socket_error_ = error;
  work_.set();
}

void Core::stall(const Connection& connection) { stalled_.push_back(connection.serial); }

void Core::touch(Connection& connection) {
  if (std::exchange(connection.touched, true)) return;
  touched_.push_back(connection.shared_from_this());
}

void Core::schedule(Connection& connection) {
  touch(connection);
  work_.set();
}

void Core::flush_touched() {
  while (!touched_.empty()) {
    for (const std::shared_ptr<Connection>& connection : std::exchange(touched_, {})) {
      connection->touched = false;
      connection->flush();
    }
  }
}

void Core::route(const ngtcp2_cid& cid, Connection& connection) {
  last_route_.reset();
  routes_[CidKey(cid)] = {&connection, nullptr};
}

void Core::unroute(const ngtcp2_cid& cid) {
  last_route_.reset();
  routes_.erase(CidKey(cid));
}

void Core::retire(Connection& connection, const std::vector<ngtcp2_cid>& cids, std::vector<std::uint8_t> last_packet,
                  const SocketAddress& local, const SocketAddress& remote, runtime::Duration linger) {
  if (connection.half_open()) --half_open_;
  last_route_.reset();
  std::vector<CidKey> keys;
  for (const ngtcp2_cid& cid : cids) {
    const CidKey key(cid);
    const auto at = routes_.find(key);
    if (at == routes_.end() || at->second.live != &connection) continue;
    routes_.erase(at);
    keys.push_back(key);
  }
  if (linger <= runtime::Duration::zero()) return;
  if (closed_.size() >= limits::kClosed) drop(closed_.begin());
  const auto entry =
      closed_.insert(closed_.end(), Closed{std::move(keys), std::move(last_packet), local, remote, 0, {}});
  for (const CidKey& key : entry->keys) routes_[key] = {nullptr, &*entry};
  entry->timer = executor().arm(executor().now() + linger, [this, entry] { drop(entry); });
}

void Core::drop(std::list<Closed>::iterator closed) {
  executor().disarm(closed->timer);
  for (const CidKey& key : closed->keys) routes_.erase(key);
  closed_.erase(closed);
}

void Core::on_datagram(const SocketAddress& local, const SocketAddress& remote, Ecn ecn,
                       std::span<const std::uint8_t> data) {
  ngtcp2_version_cid ids;
  const int result = ngtcp2_pkt_decode_version_cid(&ids, data.data(), data.size(), kCidLength);
  if (result == NGTCP2_ERR_VERSION_NEGOTIATION) {
    if (data.size() >= NGTCP2_MAX_UDP_PAYLOAD_SIZE) negotiate_version(ids, local, remote);
    return;
  }
  if (result != 0 || ids.dcidlen > NGTCP2_MAX_CIDLEN) return;
  const CidKey key(ids.dcid, ids.dcidlen);
  if (last_route_ && last_route_->first == key) {
    last_route_->second->receive(local, remote, ecn, data);
    return;
  }
  const auto at = routes_.find(key);
  if (at == routes_.end()) {
    if (!stopping_) on_stranger(ids, local, remote, ecn, data);
  } else if (at->second.live != nullptr) {
    last_route_.emplace(key, at->second.live);
    at->second.live->receive(local, remote, ecn, data);
  } else if (Closed& closed = *at->second.closed;
             !closed.last_packet.empty() && closed.answers < limits::kCloseAnswers) {
    ++closed.answers;
    if (!blocked()) transmit(closed.local, closed.remote, 0, closed.last_packet, closed.last_packet.size());
  }
}

}  // namespace peer::net
