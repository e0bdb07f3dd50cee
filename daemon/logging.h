// The program's log: lines on stderr, or entries with fields (GAME, PEER, SERVICE) when stderr is the journal.
#pragma once

#include "libpeer/base/log.h"

namespace peer::daemon {

/// Any thread may write to the sink. Lines below `least` are dropped.
LogSink make_log_sink(LogLevel least);

}  // namespace peer::daemon
