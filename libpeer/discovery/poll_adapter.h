// PollAdapter: the AvahiPoll interface over a libuv loop.
//
// 1. D-Bus opens two watches on one descriptor. They share one uv_poll_t.
// 2. A watch or timeout may be freed inside its own callback. Its memory is released after libuv has closed the handle.
// 3. interrupt() wakes a thread in a blocking D-Bus call by shutting down the watched sockets.
// Loop: that of the constructor; interrupt() any thread.
#pragma once

#include <avahi-common/watch.h>
#include <uv.h>

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>

#include "libpeer/runtime/event.h"

namespace peer::discovery {

class PollAdapter {
 public:
  explicit PollAdapter(uv_loop_t* loop);
  /// closed() must have returned.
  ~PollAdapter();
  PollAdapter(const PollAdapter&) = delete;
  PollAdapter& operator=(const PollAdapter&) = delete;

  const AvahiPoll* api() const noexcept { return &api_; }
  /// Waits until libuv has closed every handle. All watches and timeouts must have been freed.
  runtime::Task<void> closed();
  /// Disconnects the watched sockets.
  void interrupt() noexcept;

  /// Handles that libuv has not closed yet. For tests.
  std::size_t handles() const noexcept { return handles_; }

 private:
  struct WatchedDescriptor;
  friend struct ::AvahiWatch;
  friend struct ::AvahiTimeout;

  static AvahiWatch* watch_new(const AvahiPoll* api, int fd, AvahiWatchEvent events, AvahiWatchCallback callback,
                               void* userdata);
  static void watch_update(AvahiWatch* watch, AvahiWatchEvent events);
  static AvahiWatchEvent watch_get_events(AvahiWatch* watch);
  static void watch_free(AvahiWatch* watch);
  static AvahiTimeout* timeout_new(const AvahiPoll* api, const timeval* at, AvahiTimeoutCallback callback,
                                   void* userdata);
  static void timeout_update(AvahiTimeout* timeout, const timeval* at);
  static void timeout_free(AvahiTimeout* timeout);

  static void on_poll(uv_poll_t* poll, int status, int events) noexcept;
  void poll_for_all(WatchedDescriptor& descriptor) noexcept;
  void sweep(WatchedDescriptor& descriptor) noexcept;
  void handle_closed() noexcept;

  uv_loop_t* loop_;
  AvahiPoll api_{};
  std::map<int, std::unique_ptr<WatchedDescriptor>> descriptors_;
  std::size_t handles_ = 0;
  runtime::Event empty_;
  std::mutex mutex_;
  std::map<int, int> guards_;  // under the mutex: descriptor to duplicate; the number of a duplicate cannot be reused
};

}  // namespace peer::discovery
