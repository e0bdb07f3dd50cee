// InotifyWatcher: the kernel's word that something below the library's roots has changed.
//
// One inotify descriptor and one watch a directory. Where watches run out, or the kernel lends no descriptor at all,
// that is said once in the log and enter() refuses.
// Limits: the queue is read at most once in 20 ms; one that overflowed counts as a change of everything. What other
// machines do to a network share, writes through a mapping, and a rename above a root are not told.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "libpeer/base/log.h"
#include "libpeer/library/watcher.h"
#include "libpeer/runtime/uv_executor.h"

namespace peer::library {

/// inotify's system calls as a test may replace them; they return -1 with errno.
struct InotifyCalls {
  std::function<int()> open;
  std::function<int(int fd, const char* path, std::uint32_t mask)> add;
  static InotifyCalls system();
};

/// `executor`: the library's loop; must outlive it. Give it to LibraryOptions::watcher.
std::unique_ptr<Watcher> inotify_watcher(runtime::UvExecutor& executor, Log log,
                                         InotifyCalls calls = InotifyCalls::system());

}  // namespace peer::library
