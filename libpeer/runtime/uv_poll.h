// UvPoll: waits, on a libuv loop, until a file descriptor becomes readable.
//
// libuv reports readiness to a C callback, repeatedly until the poll is stopped, and its handle must live until the
// close callback. UvPoll turns that into one awaitable and a destructor.
//
// Loop: the executor's.
// Owns: its libuv handle, which frees itself after the destructor has run; not the descriptor, which must stay open
// until the destructor has run.
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
  /// No coroutine may be waiting.
  ~UvPoll();

  /// Waits until reading would not block (an error or the end of the stream counts too). One waiter at a time.
  /// Cancel: throws Cancelled.
  Task<void> readable(CancellationToken token);

 private:
  struct Handle;
  Handle* handle_;
};

}  // namespace peer::runtime
