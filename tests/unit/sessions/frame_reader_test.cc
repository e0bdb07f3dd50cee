#include "libpeer/sessions/frame_reader.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "libpeer/protocol/limits.h"
#include "libpeer/runtime/event.h"
#include "libpeer/runtime/scope.h"
#include "support/run_task.h"

using namespace peer;
using namespace peer::sessions;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

/// Delivers `bytes`, then waits indefinitely. Records the largest read.
class StallingBody final : public net::BodyReader {
 public:
  explicit StallingBody(std::vector<std::uint8_t> bytes) : bytes_(std::move(bytes)) {}
  runtime::Task<Result<std::size_t>> read(std::span<std::uint8_t> into, runtime::CancellationToken token) override {
    largest = std::max(largest, into.size());
    const std::size_t count = std::min(into.size(), bytes_.size() - at_);
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(at_), count, into.begin());
    at_ += count;
    if (count < into.size()) co_await never_.wait(token);
    co_return count;
  }
  void release(std::size_t) override {}
  std::size_t largest = 0;

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t at_ = 0;
  runtime::Event never_;
};

/// The length, then `sent` bytes of the payload.
std::vector<std::uint8_t> frame_of(std::size_t length, std::size_t sent) {
  std::vector<std::uint8_t> bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(length >> shift));
  bytes.resize(4 + sent, 'x');
  return bytes;
}

net::SocketAddress account(const std::string& text) { return account_of(*net::SocketAddress::parse(text)); }

/// One session that reads a frame.
struct FrameRoom {
  runtime::ManualExecutor executor;
  runtime::CancellationSource stop;
  runtime::Scope scope{executor, "test", stop.token()};
  FrameMemory memory{executor, 8 << 20};
  std::vector<std::unique_ptr<StallingBody>> bodies;
  std::vector<std::unique_ptr<FrameReader>> readers;
  std::vector<Result<std::optional<SessionFrame>>> frames;

  ~FrameRoom() {
    stop.request();
    run_sync(executor, scope.join());
  }
  StallingBody& read(std::vector<std::uint8_t> bytes, const std::string& from = "10.0.0.1:1") {
    bodies.push_back(std::make_unique<StallingBody>(std::move(bytes)));
    readers.push_back(std::make_unique<FrameReader>(executor, *bodies.back(), memory, account(from)));
    scope.spawn("read", read_one(*readers.back(), frames, scope.token()));
    executor.run_ready();
    return *bodies.back();
  }
  static runtime::Task<void> read_one(FrameReader& reader, std::vector<Result<std::optional<SessionFrame>>>& frames,
                                      runtime::CancellationToken token) {
    auto frame = co_await reader.read(protocol::kMaxFrameBytes, token);
    frames.push_back(std::move(frame));
  }
};

}  // namespace

TEST_CASE("A frame's buffer grows with the bytes that arrive, not with the announced length") {
  FrameRoom room;
  CHECK(room.read(frame_of(1 << 20, 0)).largest == kFirstFrameBytes);
  CHECK(room.read(frame_of(1 << 20, 10'000)).largest <= 10'000);
  CHECK(room.frames.empty());
  CHECK(room.read(frame_of(1 << 20, 1 << 20)).largest == 512 << 10);
  REQUIRE(room.frames.size() == 1);
  CHECK(room.frames[0].value().value().payload == std::vector<std::uint8_t>(1 << 20, 'x'));
}

TEST_CASE("A frame that stops arriving ends its session") {
  FrameRoom room;
  room.read(frame_of(1 << 20, 10'000));
  room.executor.advance(kFrameWait - 1ms);
  CHECK(room.frames.empty());
  room.executor.advance(1ms);
  REQUIRE(room.frames.size() == 1);
  CHECK(room.frames[0].error().code == ErrorCode::unreachable);
}

TEST_CASE("The frames of one account have at most half of the memory, and others go on") {
  FrameRoom room;
  for (int i = 0; i < 5; ++i) room.read(frame_of(1 << 20, 1 << 20));
  CHECK(room.frames.size() == 4);
  room.read(frame_of(1 << 20, 1 << 20), "10.0.0.2:1");
  CHECK(room.frames.size() == 5);
  room.frames.clear();  // handled: the fifth continues
  room.executor.run_ready();
  CHECK(room.frames.size() == 1);
}

TEST_CASE("An IPv6 address counts for its whole /64") {
  CHECK(account("[2001:db8:1:2::7]:5") == account("[2001:db8:1:2:ffff::1]:6"));
  CHECK(account("[2001:db8:1:2::7]:5") != account("[2001:db8:1:3::7]:5"));
  CHECK(account("10.0.0.1:5") == account("10.0.0.1:6"));
  CHECK(account("10.0.0.1:5") != account("10.0.0.2:5"));
}
