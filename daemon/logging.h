// The program's log: lines on stderr, or entries with fields (GAME, PEER, SERVICE) if stderr is the journal.
#pragma once

#include <chrono>
#include <functional>

#include "libpeer/base/log.h"

namespace peer::daemon {

/// How long the end of the program waits for a log that is not read.
inline constexpr std::chrono::milliseconds kLogFlushTime(100);

struct ProgramLog {
  LogSink sink;
  std::function<void()> flush;  ///< waits until all lines are written, at most for kLogFlushTime; thread-safe
};

/// A thread writes the lines, so the sink never blocks. Lines below `least` are dropped. Call it once.
ProgramLog start_log(LogLevel least);

}  // namespace peer::daemon
