// ControlServer: the Unix socket on which peerctl and scripts talk JSON-RPC 2.0 to the peer.
//
// Loop: control. Limits: kMaxClients connections; one more is told so and closed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "libpeer/api/events.h"
#include "libpeer/base/log.h"
#include "libpeer/base/result.h"
#include "libpeer/control/events.h"
#include "libpeer/control/send_command.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/uv_executor.h"

namespace peer::control {

struct ControlOptions {
  std::string socket_path;
  std::string version;                       ///< the program's, for `status`
  std::function<std::int64_t()> wall_clock;  ///< ns since 1970
  Log log;
  int adopted = -1;  ///< a listening socket that somebody else made and keeps; the descriptor is ours to close
};

class ControlServer {
 public:
  static constexpr std::size_t kMaxClients = 64;

  /// Connections run in a scope below `scope`.
  ControlServer(runtime::UvExecutor& executor, runtime::Scope& scope, ControlOptions options);
  /// run() must have ended, if open() succeeded.
  ~ControlServer();

  /// Numbers the event and tells who subscribed; also before open(). On an adopted socket nobody is accepted any more
  /// once the peer stops: who comes waits for the next daemon.
  NumberedEvent publish(const api::Event& event);
  /// Makes the socket appear, unless it is an adopted one; from now on calls are answered. Fails: busy if another
  /// daemon answers there, invalid, disk_error.
  Result<void> open(SendCommand send);
  /// Serves until cancelled; then removes the socket (no adopted one), sends what is queued and closes every
  /// connection.
  runtime::Task<void> run(runtime::CancellationToken token);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peer::control
