// ControlConnection: one client of the control socket.
//
// Calls are answered as they complete, in any order; a client tells the answers apart by their id.
// Loop: control.
// Owns: the pipe; run() closes it.
// Cancel: run() sends what is queued, for at most kFlushTime.
// Limits: reading pauses while kMaxOutstanding calls are unanswered or kMaxOutput bytes unsent, so a client that does
// not read delays only itself.
#pragma once

#include <uv.h>

#include <memory>
#include <string>

#include "libpeer/control/control_pipe.h"
#include "libpeer/control/event_subscription.h"
#include "libpeer/control/methods.h"
#include "libpeer/runtime/uv_executor.h"

namespace peer::control {

/// What all connections of a server share.
struct ServerContext {
  runtime::UvExecutor& executor;
  EventHub& hub;
  const SendCommand& send;
  const std::string& version;
  const std::string& stop_reason;  ///< why the daemon stops, for people; empty: it does not
  const Log& log;
};

class ControlConnection final : public std::enable_shared_from_this<ControlConnection> {
 public:
  static constexpr std::size_t kMaxOutstanding = 32;
  static constexpr std::size_t kMaxOutput = 1 << 20;
  static constexpr std::size_t kLinesATurn = 16;  ///< lines answered before the other connections get their turn
  static constexpr runtime::Duration kFlushTime = std::chrono::milliseconds(200);
  static constexpr runtime::Duration kLingerTime = std::chrono::seconds(1);

  explicit ControlConnection(ServerContext context);

  /// Accepts the next client of `listener`. run() must follow, also after a failure.
  void accept(uv_stream_t* listener) { pipe_.accept(listener); }
  /// Answers the client until it disconnects or `token` is requested. With `refusal`, sends only that error.
  static runtime::Task<void> run(std::shared_ptr<ControlConnection> self, const char* refusal,
                                 runtime::CancellationToken token);

 private:
  runtime::Task<void> serve(runtime::CancellationToken token);
  runtime::Task<void> finish();

  bool answer_lines();
  bool is_busy() const { return outstanding_ >= kMaxOutstanding || pipe_.unsent_bytes() >= kMaxOutput; }
  void answer_line(const std::string& line);
  void log_change(std::string_view method, const Json& params) const;
  void answer_fatally(int code, std::string message, ErrorCode word);
  RpcResult with_stop_reason(RpcResult result) const;
  Json subscribe(std::optional<std::uint64_t> since, std::vector<std::string> only);
  Json unsubscribe();
  void write_json(const Json& json) { pipe_.write(std::make_shared<const std::string>(to_line(json)), 0); }

  ServerContext context_;
  ControlPipe pipe_;
  EventSubscription subscription_;
  std::size_t outstanding_ = 0;
  bool fatal_ = false;  ///< a line exceeded the limits; no further line is answered
  bool more_ = false;   ///< lines may be left for the next turn
  bool over_ = false;   ///< answers that arrive now are dropped
  runtime::CancellationSource gone_;
};

}  // namespace peer::control
