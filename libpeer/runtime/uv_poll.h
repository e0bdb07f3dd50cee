// UvPoll: waiting on a libuv loop until a file descriptor is readable.
//
// libuv reports readiness to a C callback, again and again until it is told to stop, and needs a handle that lives
// until its close callback. UvPoll turns that into one awaitable and a destructor.
//
// Loop: the executor's. Owns: its libuv handle, which frees itself on the loop after the destructor; not the
// descriptor, which must be open until then.
#pragma once

#include <uv.h>

#include "libpeer/runtime/event.h"
#include "libpeer/runtime/uv_executor.h"

namespace peer::runtime {

class UvPoll {
 public:
  UvPoll(UvExecutor& executor, int fd);
  UvPoll(const UvPoll&) = delete;
  UvPoll& operator=(const UvPoll&) = delete;
  /// No wait may be under way. The descriptor may be closed right after.
  ~UvPoll();

  /// Waits until reading would not block (an error or the end of the stream counts too). One waiter at a time.
  /// Cancel: throws Cancelled.
  Task<void> readable(CancellationToken token);

 private:
  struct Handle;
  Handle* handle_;
};

}  // namespace peer::runtime
