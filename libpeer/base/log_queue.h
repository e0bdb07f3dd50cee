// LogQueue: passes log lines to a thread that writes them.
//
// A write to the journal or to a pipe blocks while its reader does not read. On a loop this would stop the program, so
// a loop only queues. When the queue is full, lines are dropped and counted, and the count is written where they were.
// Loop: any thread. Limits: kMaxLines, kMaxBytes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "libpeer/base/log.h"

namespace peer {

struct LogLine {
  LogLevel level = LogLevel::info;
  std::string component;
  std::string text;
  LogFields fields;
  std::chrono::system_clock::time_point time;
};

class LogQueue {
 public:
  static constexpr std::size_t kMaxLines = 4096;
  static constexpr std::size_t kMaxBytes = 1 << 20;

  /// `write` is called on the queue's thread and may block. It must own what it uses: the thread is not joined.
  explicit LogQueue(std::function<void(const LogLine&)> write);
  LogQueue(const LogQueue&) = delete;
  LogQueue& operator=(const LogQueue&) = delete;
  /// The thread writes what is queued and then ends.
  ~LogQueue();

  /// Never blocks on `write`.
  void push(LogLine line);
  /// Waits until every line is written, at most for `limit`. Returns false if it took longer.
  bool flush(std::chrono::milliseconds limit);

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the thread
};

}  // namespace peer
