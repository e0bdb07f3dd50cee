// RequestServer: runs a handler for each request that a client sends, while serve() runs.
//
// Loop: the endpoint's.
#pragma once

#include <cstddef>
#include <memory>

#include "libpeer/base/log.h"
#include "libpeer/net/accounts.h"
#include "libpeer/net/limits.h"
#include "libpeer/net/link.h"
#include "libpeer/runtime/event.h"

namespace peer::net {

class Connection;
class EndpointCore;
class Http3Stream;

class RequestServer {
 public:
  /// `core` must outlive it.
  explicit RequestServer(EndpointCore& core) : core_(core) {}
  /// serve() must have ended.
  ~RequestServer();

  /// See Transport::serve(). Cancel: stops the handlers and joins them, then closes the connections once their last
  /// responses have been sent, after limits::kDrain at the latest.
  runtime::Task<void> serve(RequestHandler handler, runtime::CancellationToken token);
  bool serving() const noexcept { return run_ != nullptr; }
  /// Starts the handler of a request. False if nothing serves now.
  bool begin_request(Connection& connection, std::shared_ptr<Http3Stream> stream);
  /// Closes the connection if its client cancels too many requests (limits::kCancelsOfRemote).
  void request_cancelled(Connection& connection);

 private:
  /// One call of serve().
  struct ServingRun {
    explicit ServingRun(RequestHandler h) : handler(std::move(h)) {}
    RequestHandler handler;
    std::size_t active = 0;
    runtime::Event idle;
  };
  static runtime::Task<void> run_handler(std::shared_ptr<Connection> connection, std::shared_ptr<Http3Stream> stream,
                                         std::shared_ptr<ServingRun> run, RequestServer& server);

  /// Logs a line that this remote caused, or counts it as suppressed.
  void warn(const Connection& connection, const std::string& line);

  EndpointCore& core_;
  std::shared_ptr<ServingRun> run_;
  FairRate log_lines_{{limits::kLogLines, limits::kLogLinesPerSecond}, {}};
  std::uint64_t suppressed_ = 0;  // lines, since the last one
  FairRate requests_{{limits::kRequestsOfRemote, limits::kRequestsOfRemotePerSecond},
                     {limits::kRequestsShared, limits::kRequestsSharedPerSecond}};
  FairRate cancels_{{limits::kCancelsOfRemote, limits::kCancelsOfRemotePerSecond}, {}};
};

}  // namespace peer::net
