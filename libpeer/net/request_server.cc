#include "libpeer/net/request_server.h"

#include <exception>
#include <map>
#include <string>
#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/net/connection.h"
#include "libpeer/net/endpoint_core.h"
#include "libpeer/net/limits.h"
#include "libpeer/runtime/sleep.h"

namespace peer::net {

RequestServer::~RequestServer() { PEER_CHECK(!run_); }

runtime::Task<void> RequestServer::serve(RequestHandler handler, runtime::CancellationToken token) {
  PEER_CHECK(!run_);
  const auto run = std::make_shared<ServingRun>(std::move(handler));
  run_ = run;
  runtime::Event forever;
  try {
    co_await forever.wait(token);
  } catch (const runtime::Cancelled&) {
    // The wait ends only when it is cancelled.
  }
  run_.reset();
  const runtime::CancellationToken never;
  std::map<std::uint64_t, std::shared_ptr<Connection>> all = core_.connections();
  std::erase_if(all, [](const auto& entry) { return !entry.second->is_server(); });
  for (const auto& [serial, connection] : all) connection->stop_serving();
  while (run->active > 0) {
    run->idle.reset();
    co_await run->idle.wait(never);
  }
  // The last responses are sent, then the connections close. The deadline bounds the wait if the network is dead.
  for (const auto& [serial, connection] : all) connection->close_when_idle();
  runtime::Deadline deadline(core_.executor(), limits::kDrain, never);
  for (const auto& [serial, connection] : all) {
    try {
      co_await connection->over.wait(deadline.token());
    } catch (const runtime::Cancelled&) {
      connection->close_http(NGHTTP3_H3_NO_ERROR, {ErrorCode::unreachable, "no longer serving"});
    }
  }
}

bool RequestServer::begin_request(Connection& connection, std::shared_ptr<Http3Stream> stream) {
  if (!run_) return false;
  if (!requests_.try_consume(connection.standing.slot.inbound.remote().group, core_.executor().now())) {
    connection.close_http(NGHTTP3_H3_EXCESSIVE_LOAD,
                          {ErrorCode::refused, connection.remote().to_string() + ": too many requests"});
    return false;
  }
  stream->hold();
  stream->stop = std::make_unique<runtime::CancellationSource>(connection.scope->token());
  ++run_->active;
  auto task = run_handler(connection.shared_from_this(), std::move(stream), run_, *this);
  connection.scope->spawn("request", std::move(task));
  return true;
}

void RequestServer::request_cancelled(Connection& connection) {
  const runtime::TimePoint now = core_.executor().now();
  ConnectionStanding& standing = connection.standing;
  if (standing.cancels.try_consume(now, limits::kCancelsOfConnection, limits::kCancelsOfConnectionPerSecond)) return;
  if (cancels_.try_consume(standing.slot.inbound.remote().group, now)) return;
  connection.close_http(NGHTTP3_H3_EXCESSIVE_LOAD,
                        {ErrorCode::refused, connection.remote().to_string() + ": too many cancelled requests"});
}

void RequestServer::warn(const Connection& connection, const std::string& line) {
  if (!log_lines_.try_consume(ShareKey::network(connection.remote()), core_.executor().now())) {
    ++suppressed_;
    return;
  }
  const std::uint64_t suppressed = std::exchange(suppressed_, 0);
  core_.options().log.warn(line + (suppressed == 0 ? "" : " (" + std::to_string(suppressed) + " lines suppressed)"));
}

runtime::Task<void> RequestServer::run_handler(std::shared_ptr<Connection> connection,
                                               std::shared_ptr<Http3Stream> stream, std::shared_ptr<ServingRun> run,
                                               RequestServer& server) {
  std::exception_ptr error;
  const runtime::CancellationToken token = stream->stop->token();
  {
    ServerHandle handle(stream, connection->peer(), connection->remote(), connection->channel_binding(),
                        connection->standing.admitted);
    try {
      auto task = run->handler(handle, token);
      co_await task;
    } catch (const runtime::Cancelled&) {
      if (!token.requested()) error = std::current_exception();
    } catch (...) {
      error = std::current_exception();
    }
  }
  if (error) {
    const std::string what = runtime::describe(error);
    server.warn(*connection, "closed a connection because its request handler failed: " + what);
    connection->close_http(NGHTTP3_H3_INTERNAL_ERROR, {ErrorCode::internal, "a request handler failed: " + what},
                           "internal error");
  }
  if (--run->active == 0) run->idle.set();
}

}  // namespace peer::net
