// The program's log: lines on stderr, or entries with fields (GAME, PEER, SERVICE) if stderr is the journal.
#pragma once

#include "libpeer/base/log.h"

namespace peer::daemon {

/// The sink drops lines below `least`. Loop: any thread.
LogSink make_log_sink(LogLevel least);

}  // namespace peer::daemon
