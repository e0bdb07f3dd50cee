#include "libpeer/discovery/poll_adapter.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <vector>

#include "libpeer/runtime/event.h"
#include "support/run_task.h"

using namespace peer;
using namespace std::chrono_literals;

namespace {

/// A pair of connected sockets.
struct Pair {
  Pair() { REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0); }
  ~Pair() {
    for (const int end : ends) close(end);
  }
  void write() const { REQUIRE(::write(ends[1], "x", 1) == 1); }
  void read() const {
    char byte = 0;
    REQUIRE(::read(ends[0], &byte, 1) == 1);
  }
  std::array<int, 2> ends{};
};

struct Call {
  AvahiWatch* watch;
  int events;
};

/// Called by the C callbacks.
struct Handler {
  std::function<void(AvahiWatch*, int)> on_watch;
  std::function<void(AvahiTimeout*)> on_timeout;
  static void watch(AvahiWatch* watch, int, AvahiWatchEvent events, void* self) {
    static_cast<Handler*>(self)->on_watch(watch, events);
  }
  static void timeout(AvahiTimeout* timeout, void* self) { static_cast<Handler*>(self)->on_timeout(timeout); }
};

runtime::Task<void> wait_on(runtime::Event& event) { co_await event.wait(runtime::CancellationToken()); }

timeval in(std::chrono::milliseconds delay) {
  timeval now{};
  gettimeofday(&now, nullptr);
  const long long us = now.tv_usec + delay.count() * 1000LL;
  now.tv_sec += us / 1'000'000;
  now.tv_usec = us % 1'000'000;
  return now;
}

runtime::Task<void> two_watches(runtime::UvExecutor& executor) {
  discovery::PollAdapter adapter(executor.loop());
  const AvahiPoll* api = adapter.api();
  const Pair pair;
  runtime::Event done;
  std::vector<Call> calls;
  Handler handler;
  handler.on_watch = [&](AvahiWatch* watch, int events) {
    CHECK(api->watch_get_events(watch) == events);
    calls.push_back({watch, events});
    if (calls.size() >= 2) done.set();
  };
  AvahiWatch* in = api->watch_new(api, pair.ends[0], AVAHI_WATCH_IN, Handler::watch, &handler);
  AvahiWatch* out = api->watch_new(api, pair.ends[0], static_cast<AvahiWatchEvent>(0), Handler::watch, &handler);
  REQUIRE(in != nullptr);
  REQUIRE(out != nullptr);
  CHECK(adapter.handles() == 1);  // one descriptor, one uv_poll_t
  pair.write();
  api->watch_update(out, AVAHI_WATCH_OUT);
  co_await wait_on(done);
  bool read = false;
  bool written = false;
  for (const Call& call : calls) {
    if (call.watch == in) read = read || call.events == AVAHI_WATCH_IN;
    if (call.watch == out) written = written || call.events == AVAHI_WATCH_OUT;
  }
  CHECK(read);
  CHECK(written);
  CHECK(api->watch_get_events(in) == 0);  // no events outside the callback
  api->watch_free(in);
  CHECK(adapter.handles() == 1);
  api->watch_free(out);
  co_await adapter.closed();
  CHECK(adapter.handles() == 0);
}

runtime::Task<void> freed_in_callback(runtime::UvExecutor& executor) {
  discovery::PollAdapter adapter(executor.loop());
  const AvahiPoll* api = adapter.api();
  const Pair pair;
  runtime::Event done;
  unsigned calls = 0;
  AvahiWatch* first = nullptr;
  AvahiWatch* second = nullptr;
  AvahiWatch* third = nullptr;
  Handler other;
  other.on_watch = [&](AvahiWatch* watch, int) {
    CHECK(watch == third);  // the second was freed before its turn
    pair.read();
    api->watch_free(third);
    done.set();
  };
  Handler handler;
  handler.on_watch = [&](AvahiWatch*, int) {
    ++calls;
    api->watch_free(second);
    api->watch_free(first);
    third = api->watch_new(api, pair.ends[0], AVAHI_WATCH_IN, Handler::watch, &other);
  };
  first = api->watch_new(api, pair.ends[0], AVAHI_WATCH_IN, Handler::watch, &handler);
  second = api->watch_new(api, pair.ends[0], AVAHI_WATCH_IN, Handler::watch, &other);
  pair.write();
  co_await wait_on(done);
  CHECK(calls == 1);
  co_await adapter.closed();
}

runtime::Task<void> same_number_again(runtime::UvExecutor& executor) {
  discovery::PollAdapter adapter(executor.loop());
  const AvahiPoll* api = adapter.api();
  runtime::Event done;
  Handler handler;
  handler.on_watch = [&](AvahiWatch*, int) { done.set(); };
  int number = -1;
  {
    const Pair pair;
    number = pair.ends[0];
    api->watch_free(api->watch_new(api, number, AVAHI_WATCH_IN, Handler::watch, &handler));
  }
  // libuv has not closed the former handle yet.
  const Pair pair;
  REQUIRE(pair.ends[0] == number);
  AvahiWatch* watch = api->watch_new(api, number, AVAHI_WATCH_IN, Handler::watch, &handler);
  REQUIRE(watch != nullptr);
  pair.write();
  co_await wait_on(done);
  api->watch_free(watch);
  co_await adapter.closed();
}

runtime::Task<void> interrupted(runtime::UvExecutor& executor) {
  discovery::PollAdapter adapter(executor.loop());
  const AvahiPoll* api = adapter.api();
  const Pair watched;
  const Pair unwatched;
  Handler handler;
  runtime::Event done;
  handler.on_watch = [&](AvahiWatch*, int) { done.set(); };
  AvahiWatch* watch = api->watch_new(api, watched.ends[0], AVAHI_WATCH_IN, Handler::watch, &handler);
  api->watch_free(api->watch_new(api, unwatched.ends[0], AVAHI_WATCH_IN, Handler::watch, &handler));
  adapter.interrupt();
  co_await wait_on(done);
  char byte = 0;
  CHECK(::read(watched.ends[0], &byte, 1) == 0);  // disconnected
  CHECK(::read(unwatched.ends[0], &byte, 1) == -1);
  CHECK(errno == EAGAIN);  // released before the interruption
  api->watch_free(watch);
  co_await adapter.closed();
}

runtime::Task<void> timeouts(runtime::UvExecutor& executor) {
  discovery::PollAdapter adapter(executor.loop());
  const AvahiPoll* api = adapter.api();
  std::vector<AvahiTimeout*> fired;
  runtime::Event done;
  AvahiTimeout* last = nullptr;
  Handler handler;
  handler.on_timeout = [&](AvahiTimeout* timeout) {
    fired.push_back(timeout);
    if (timeout == last) done.set();
  };
  const timeval zero{0, 0};
  const timeval past = in(-1h);
  const timeval soon = in(20ms);
  const timeval far = in(1h);
  AvahiTimeout* never = api->timeout_new(api, nullptr, Handler::timeout, &handler);
  AvahiTimeout* disabled = api->timeout_new(api, &zero, Handler::timeout, &handler);
  api->timeout_update(disabled, nullptr);
  AvahiTimeout* at_once = api->timeout_new(api, &zero, Handler::timeout, &handler);
  AvahiTimeout* late = api->timeout_new(api, &past, Handler::timeout, &handler);
  AvahiTimeout* distant = api->timeout_new(api, &far, Handler::timeout, &handler);
  last = api->timeout_new(api, &soon, Handler::timeout, &handler);
  co_await wait_on(done);
  CHECK(fired == std::vector{at_once, late, last});  // each once
  for (AvahiTimeout* each : {never, disabled, at_once, late, distant, last}) api->timeout_free(each);
  co_await adapter.closed();
}

runtime::Task<void> timeout_freed_in_callback(runtime::UvExecutor& executor) {
  discovery::PollAdapter adapter(executor.loop());
  const AvahiPoll* api = adapter.api();
  runtime::Event done;
  unsigned rounds = 0;
  Handler handler;
  const timeval zero{0, 0};
  handler.on_timeout = [&](AvahiTimeout* timeout) {
    if (++rounds < 3) {
      api->timeout_update(timeout, &zero);
      return;
    }
    api->timeout_free(timeout);
    done.set();
  };
  api->timeout_new(api, &zero, Handler::timeout, &handler);
  co_await wait_on(done);
  CHECK(rounds == 3);
  co_await adapter.closed();
}

}  // namespace

TEST_CASE("Two watches of one descriptor share a handle, and each gets its events") { test::run_on_uv(two_watches); }
TEST_CASE("A watch may free itself and others in its callback, and open another one") {
  test::run_on_uv(freed_in_callback);
}
TEST_CASE("A descriptor's number may be reused before its former handle is closed") {
  test::run_on_uv(same_number_again);
}
TEST_CASE("An interruption disconnects only the watched sockets") { test::run_on_uv(interrupted); }
TEST_CASE("Timeouts are absolute: zero and past times fire at once, null never") { test::run_on_uv(timeouts); }
TEST_CASE("A timeout may be set again or freed in its callback") { test::run_on_uv(timeout_freed_in_callback); }
