// PollAdapter: the AvahiPoll interface over a libuv loop.
//
// 1. D-Bus opens two watches on one descriptor: they share one uv_poll_t.
// 2. A watch or timeout may be freed inside its own callback; its memory goes after libuv has let go of it.
// 3. interrupt() wakes a thread that sits in a blocking D-Bus call: it shuts the sockets down that are being watched.
// Loop: its own, but interrupt().
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
  /// Waits until libuv has let go of everything; all watches and timeouts must have been freed.
  runtime::Task<void> closed();
  /// Any thread. Whoever uses the sockets finds them disconnected.
  void interrupt() noexcept;

  /// Handles that libuv still holds; for tests.
  std::size_t handles() const noexcept { return handles_; }

 private:
  struct Descriptor;
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
  void poll_for_all(Descriptor& descriptor) noexcept;
  void sweep(Descriptor& descriptor) noexcept;
  void let_go() noexcept;

  uv_loop_t* loop_;
  AvahiPoll api_{};
  std::map<int, std::unique_ptr<Descriptor>> descriptors_;
  std::size_t handles_ = 0;
  runtime::Event empty_;
  std::mutex mutex_;
  std::map<int, int> guards_;  // under the mutex: descriptor -> a duplicate, whose number nobody else can come by
};

}  // namespace peer::discovery
