#include "libpeer/downloads/peer_wait.h"

#include <catch2/catch_test_macros.hpp>

using namespace peer;
using namespace std::chrono_literals;
using downloads::PeerWait;

namespace {
constexpr runtime::TimePoint kStart{1h};
}

TEST_CASE("A download without a wait ends with the loss of its peers") {
  const PeerWait wait;
  CHECK_FALSE(wait.brought());
  CHECK(wait.left(kStart) == 0s);
  CHECK(wait.until(kStart) <= kStart);
}

TEST_CASE("The longest wait applies, in whatever order the waits are added") {
  PeerWait wait;
  wait.bring(10min, kStart);
  wait.bring(1min, kStart + 1min);
  CHECK(wait.until(kStart + 2min) == kStart + 10min);
  wait.bring(10min, kStart + 5min);
  CHECK(wait.until(kStart + 5min) == kStart + 15min);
  CHECK(wait.left(kStart + 5min) == 10min);
  CHECK(wait.left(kStart + 20min) == 0s);
  CHECK(wait.brought());
  wait.bring(1min, kStart + 20min);
  CHECK(wait.left(kStart + 20min) == 1min);
}

TEST_CASE("A pause stops the clock of a wait, and a wait that is added during a pause starts at its end") {
  PeerWait wait;
  wait.bring(10min, kStart);
  wait.hold(kStart + 4min);
  CHECK(wait.left(kStart + 3h) == 6min);
  wait.hold(kStart + 3h);
  wait.bring(5min, kStart + 3h);
  CHECK(wait.left(kStart + 3h) == 6min);
  wait.bring(8min, kStart + 3h);
  wait.go_on(kStart + 4h);
  CHECK(wait.until(kStart + 4h) == kStart + 4h + 8min);
  wait.go_on(kStart + 5h);
  CHECK(wait.until(kStart + 5h) == kStart + 4h + 8min);
}

TEST_CASE("A pause neither creates a wait nor renews an expired one") {
  PeerWait none;
  none.hold(kStart);
  none.go_on(kStart + 1h);
  CHECK(none.left(kStart + 1h) == 0s);
  CHECK_FALSE(none.brought());
  PeerWait over;
  over.bring(1min, kStart);
  over.hold(kStart + 2min);
  over.go_on(kStart + 1h);
  CHECK(over.left(kStart + 1h) == 0s);
  CHECK(over.brought());
}

TEST_CASE("A wait beyond the last point in time ends there") {
  PeerWait wait;
  wait.bring(runtime::Duration::max(), kStart);
  CHECK(wait.until(kStart) == runtime::TimePoint::max());
  wait.hold(kStart);
  wait.go_on(kStart + 1h);
  CHECK(wait.until(kStart + 1h) == runtime::TimePoint::max());
  wait.bring(-1s, kStart);
  CHECK(wait.until(kStart) == runtime::TimePoint::max());
}
