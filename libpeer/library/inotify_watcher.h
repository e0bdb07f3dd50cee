// InotifyWatcher: a Watcher that uses inotify.
//
// It has one inotify descriptor, and one watch per directory. If watches or descriptors run out, it logs that once and
// enter() returns false. Changes that inotify does not report are found by periodic scans only: changes that another
// machine makes on a network share, writes through a memory mapping, and a rename of a directory above a root.
// Limits: it reads events at most every 20 ms; a queue overflow counts as a change of every subject.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "libpeer/base/log.h"
#include "libpeer/library/watcher.h"
#include "libpeer/runtime/uv_executor.h"

namespace peer::library {

/// inotify's system calls, which tests replace. They return -1 and set errno on failure.
struct InotifyCalls {
  std::function<int()> open;
  std::function<int(int fd, const char* path, std::uint32_t mask)> add;
  static InotifyCalls system();
};

/// `executor`: the library's loop; must outlive the watcher. The result goes to LibraryOptions::watcher.
std::unique_ptr<Watcher> inotify_watcher(runtime::UvExecutor& executor, Log log,
                                         InotifyCalls calls = InotifyCalls::system());

}  // namespace peer::library
