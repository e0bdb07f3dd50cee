// The program's log: lines on stderr, with journal levels when systemd reads them.
#pragma once

#include "base/log.h"

namespace peer::daemon {

/// Any thread may write to the sink. Lines below `least` are dropped.
LogSink make_log_sink(LogLevel least);

}  // namespace peer::daemon
