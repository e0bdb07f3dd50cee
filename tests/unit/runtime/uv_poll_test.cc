#include "libpeer/runtime/uv_poll.h"

#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <memory>

#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/sleep.h"
#include "support/run_task.h"

using namespace peer::runtime;
using namespace std::chrono_literals;
using peer::test::run_on_uv;

namespace {

const CancellationToken kNever;

struct Pipe {
  Pipe() { REQUIRE(::pipe(ends.data()) == 0); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  int read_end() const { return ends[0]; }
  void put(char c) const { REQUIRE(::write(ends[1], &c, 1) == 1); }
  char get() const {
    char c = 0;
    REQUIRE(::read(ends[0], &c, 1) == 1);
    return c;
  }
  std::array<int, 2> ends{};
};

Task<void> write_later(UvExecutor& executor, const Pipe& pipe, CancellationToken token) {
  for (const char c : {'a', 'b'}) {
    co_await sleep_for(executor, 1ms, token);
    pipe.put(c);
  }
}

Task<void> read_both(UvExecutor& executor) {
  const Pipe pipe;
  Scope scope(executor, "scope", kNever);
  scope.spawn("writer", write_later(executor, pipe, scope.token()));
  {
    UvPoll poll(executor, pipe.read_end());
    for (const char expected : {'a', 'b'}) {
      co_await poll.readable(kNever);
      CHECK(pipe.get() == expected);
    }
  }
  co_await scope.join();
}

Task<void> cancel_then_read(UvExecutor& executor) {
  const Pipe pipe;
  UvPoll poll(executor, pipe.read_end());
  const auto wait = [&poll](CancellationToken token) { return poll.readable(token); };
  CHECK_FALSE(co_await with_timeout(executor, 1ms, wait, kNever));
  CancellationSource source;
  source.request();
  pipe.put('x');
  bool cancelled = false;
  try {
    co_await poll.readable(source.token());
  } catch (const Cancelled&) {
    cancelled = true;
  }
  CHECK(cancelled);
  co_await poll.readable(kNever);
  co_await poll.readable(kNever);  // still readable, because nothing was read
  CHECK(pipe.get() == 'x');
  CHECK_FALSE(co_await with_timeout(executor, 1ms, wait, kNever));
}

Task<void> reuse_descriptor(UvExecutor& executor) {
  for (int i = 0; i < 3; ++i) {
    const Pipe pipe;  // closed right after the poll: the next pipe gets the same numbers
    UvPoll poll(executor, pipe.read_end());
    pipe.put('y');
    co_await poll.readable(kNever);
    CHECK(pipe.get() == 'y');
  }
}

}  // namespace

TEST_CASE("A wait ends when the descriptor becomes readable") {
  run_on_uv([](UvExecutor& executor) { return read_both(executor); });
}

TEST_CASE("A cancelled wait leaves the descriptor usable") {
  run_on_uv([](UvExecutor& executor) { return cancel_then_read(executor); });
}

TEST_CASE("A descriptor may be closed and its number reused right after the poll ends") {
  run_on_uv([](UvExecutor& executor) { return reuse_descriptor(executor); });
}
