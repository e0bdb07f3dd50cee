// Connection: one client of the control socket.
//
// Lines are answered in any order, by id. Reading pauses while kMaxOutstanding calls are unanswered or kMaxOutput bytes
// unsent, so a client that does not read holds up only itself; one that does not read its events loses its
// subscription. Loop: control. Owns: the pipe; run() opens nothing and closes it. Cancel: what is queued is still sent,
// for kFlushTime.
#pragma once

#include <uv.h>

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "libpeer/control/events.h"
#include "libpeer/control/methods.h"
#include "libpeer/runtime/event.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/runtime/uv_executor.h"

namespace peer::control {

/// What all connections of a server share.
struct ServerContext {
  runtime::UvExecutor& executor;
  EventHub& hub;
  const SendCommand& send;
  const std::string& version;
  const std::string& stop_reason;  ///< why the daemon ends, for people; empty: it does not
};

class Connection final : public EventReader, public std::enable_shared_from_this<Connection> {
 public:
  static constexpr std::size_t kMaxOutstanding = 32;
  static constexpr std::size_t kMaxOutput = 1 << 20;
  static constexpr std::size_t kLinesATurn = 16;  ///< answered before the other connections have theirs
  static constexpr std::size_t kMaxQueuedEvents = 256;
  static constexpr runtime::Duration kFlushTime = std::chrono::milliseconds(200);
  static constexpr runtime::Duration kLingerTime = std::chrono::seconds(1);

  explicit Connection(ServerContext context);
  ~Connection() override = default;

  /// Takes the next client of `listener`; then run() must follow, whatever this returned.
  bool accept(uv_stream_t* listener);
  /// Answers the client until it has gone or `token` is requested; with `refusal`, only tells it that.
  static runtime::Task<void> run(std::shared_ptr<Connection> self, const char* refusal,
                                 runtime::CancellationToken token);

  void on_event(const NumberedEvent& event) override;

 private:
  struct Output {
    SharedLine line;
    std::uint64_t event;  ///< its number; 0: an answer
  };

  runtime::Task<void> serve(runtime::CancellationToken token);
  runtime::Task<void> finish();
  runtime::Task<void> flush(runtime::CancellationToken token);
  runtime::Task<void> linger(runtime::CancellationToken token);

  bool step();
  bool take_line(std::string& line);
  void answer_line(const std::string& line);
  void answer_fatally(RpcError error);
  void answer_too_long();
  RpcResult explained(RpcResult result) const;
  Json subscribe(std::optional<std::uint64_t> since, std::vector<std::string> only);
  Json unsubscribe();
  void queue(SharedLine line, std::uint64_t event);
  void queue_json(const Json& json) { queue(std::make_shared<const std::string>(to_line(json)), 0); }
  void write_more();
  void read_more();
  bool hung_up() const;
  uv_stream_t* stream() noexcept { return reinterpret_cast<uv_stream_t*>(&pipe_); }

  ServerContext context_;
  uv_pipe_t pipe_{};
  runtime::Event changed_;  ///< something for step() to look at
  runtime::Event closed_;   ///< the handle is closed
  std::array<char, 16 << 10> chunk_;
  std::string input_;
  std::size_t scanned_ = 0;  ///< bytes of input_ known to hold no newline
  bool reading_ = false;
  bool ended_ = false;   ///< the client sends no more
  bool broken_ = false;  ///< nothing can be written any more
  bool fatal_ = false;   ///< a line beyond the limits: input is only thrown away now
  bool more_ = false;    ///< lines may be left that wait for the next turn
  bool over_ = false;    ///< late answers are dropped
  runtime::CancellationSource gone_;
  std::size_t outstanding_ = 0;

  std::deque<Output> output_;
  std::size_t output_bytes_ = 0;
  std::vector<Output> writing_;
  uv_write_t write_{};

  bool subscribed_ = false;
  std::size_t queued_events_ = 0;
  std::size_t event_limit_ = kMaxQueuedEvents;
  std::optional<std::uint64_t> replay_;  ///< wanted after the answers of this line
};

}  // namespace peer::control
