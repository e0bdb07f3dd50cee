// ControlServer: the Unix socket on which peerctl and scripts talk JSON-RPC 2.0 to the peer.
//
// Loop: control.
// Limits: kMaxClients connections; a further one receives an error and is closed.
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
  int adopted = -1;  ///< a listening socket that systemd keeps; the server closes the descriptor; -1: none
};

class ControlServer {
 public:
  static constexpr std::size_t kMaxClients = 64;

  /// Connections run in a child of `scope`.
  ControlServer(runtime::UvExecutor& executor, runtime::Scope& scope, ControlOptions options);
  /// If open() succeeded, run() must have ended.
  ~ControlServer();

  /// Numbers the event and sends it to the subscribers. May be called before open(). When the peer stops, an adopted
  /// socket accepts no further clients: new ones wait for the next daemon.
  NumberedEvent publish(const api::Event& event);
  /// Creates the socket, unless it is adopted, and begins to accept clients. Fails: busy if another daemon answers at
  /// the path; invalid for an unusable path; disk_error.
  Result<void> open(SendCommand send);
  /// Serves until cancelled, then removes the socket unless it is adopted, and closes every connection. Cancel: each
  /// connection first sends what is queued.
  runtime::Task<void> run(runtime::CancellationToken token);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peer::control
