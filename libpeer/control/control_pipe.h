// ControlPipe: the libuv pipe of one client of the control socket, with its lines to read and its lines to write.
#pragma once

#include <uv.h>

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "libpeer/control/events.h"
#include "libpeer/control/line_splitter.h"
#include "libpeer/runtime/event.h"
#include "libpeer/runtime/task.h"

namespace peer::control {

/// Loop: control. Owns: the handle; close() must have been awaited before destruction.
/// Limits: reads one chunk for each read_more(), so the caller bounds the input. The output is unbounded; its size is
/// unsent_bytes().
class ControlPipe {
 public:
  explicit ControlPipe(uv_loop_t* loop);
  ControlPipe(const ControlPipe&) = delete;
  ControlPipe& operator=(const ControlPipe&) = delete;
  ~ControlPipe() = default;

  /// The process at the other end, when it connected.
  struct ClientProcess {
    std::uint32_t user = 0;
    std::int32_t id = 0;
  };

  /// Accepts the next client of `listener`. After a failure the pipe counts as broken.
  bool accept(uv_stream_t* listener);

  /// Reads the next chunk in the background, unless a read is pending.
  void read_more();
  void stop_reading();
  std::optional<std::string> next_line() { return lines_.next(ended_); }
  /// The client sent a line of more than kMaxLineBytes.
  bool line_too_long() const noexcept { return lines_.too_long(); }

  /// Writes in the background. `event`: the event's number; 0: an answer.
  void write(SharedLine line, std::uint64_t event);
  /// Removes the events whose writing has not begun. Returns the number of the first of them.
  std::optional<std::uint64_t> drop_unsent_events();

  /// As the kernel knows it (SO_PEERCRED). Nothing if it cannot be determined.
  std::optional<ClientProcess> client_process() const;
  bool ended() const noexcept { return ended_; }
  bool broken() const noexcept { return broken_; }
  /// The client has closed its end completely. libuv does not report this once the input has ended.
  bool hung_up() const;
  std::size_t unsent_bytes() const noexcept { return unsent_bytes_; }
  std::size_t unsent_events() const noexcept { return unsent_events_; }

  /// Set when input has arrived, when output has been written, and when the pipe breaks.
  runtime::Event& changed() noexcept { return changed_; }

  /// Waits until all output has been written or the pipe is broken.
  runtime::Task<void> flush(runtime::CancellationToken token);
  /// Ends the output, and ignores input until the client ends it. A client that is in the middle of a long line would
  /// otherwise fail to write it before it reads why it was refused.
  runtime::Task<void> linger(runtime::CancellationToken token);
  /// Cancel: not cancellable; it does not wait for the client.
  runtime::Task<void> close();

 private:
  struct UnsentLine {
    SharedLine line;
    std::uint64_t event;
  };

  void write_more();
  void fail();
  uv_stream_t* stream() noexcept { return reinterpret_cast<uv_stream_t*>(&pipe_); }

  uv_pipe_t pipe_{};
  uv_write_t request_{};
  runtime::Event changed_;
  runtime::Event closed_;
  std::array<char, 16 << 10> chunk_;
  LineSplitter lines_;
  bool reading_ = false;
  bool discards_ = false;  ///< input is ignored
  bool ended_ = false;     ///< the client has ended its output
  bool broken_ = false;    ///< nothing can be written
  std::deque<UnsentLine> unsent_;
  std::vector<UnsentLine> writing_;  ///< passed to libuv
  std::size_t unsent_bytes_ = 0;     ///< of unsent_ and writing_
  std::size_t unsent_events_ = 0;    ///< of unsent_
};

}  // namespace peer::control
