#include "libpeer/transfer/pace.h"

#include <catch2/catch_test_macros.hpp>

using namespace peer;
using peer::transfer::kFirstWindow;
using peer::transfer::Pace;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kMost = 20 << 20;

/// Receives at `speed` bytes per second for `time`, with an update every 25 ms.
void run(Pace& pace, runtime::TimePoint& now, std::uint64_t& received, double speed, runtime::Duration time,
         bool busy = true) {
  for (runtime::Duration done{}; done < time; done += 25ms) {
    now += 25ms;
    received += static_cast<std::uint64_t>(speed / 40);
    pace.update(now, received, busy);
  }
}

}  // namespace

TEST_CASE("A source holds a second's worth of work, within bounds", "[pace]") {
  Pace pace(kMost, 5);
  runtime::TimePoint now{};
  std::uint64_t received = 0;
  pace.update(now, 0, false);
  CHECK_FALSE(pace.rate());
  CHECK(pace.window() == kFirstWindow);
  run(pace, now, received, 10e6, 50ms);
  REQUIRE(pace.rate());
  CHECK(*pace.rate() == 10e6);
  CHECK(pace.window() == 10'000'000);
  CHECK(pace.span() == 2'000'000);
  run(pace, now, received, 1e9, 2s);
  CHECK(pace.window() == kMost);
  CHECK(pace.span() == 4 << 20);
  run(pace, now, received, 1e6, 2s);
  CHECK(*pace.rate() == 1e6);
  CHECK(pace.window() == 1'000'000);
  CHECK(pace.span() == 256 << 10);
  run(pace, now, received, 0, 2s);
  CHECK(*pace.rate() == 0);
  CHECK(pace.window() == 256 << 10);
}

TEST_CASE("Time without work does not lower a source's measured speed", "[pace]") {
  Pace pace(kMost, 5);
  runtime::TimePoint now{};
  std::uint64_t received = 0;
  pace.update(now, 0, false);
  run(pace, now, received, 8e6, 1s);
  run(pace, now, received, 0, 10s, false);
  CHECK(*pace.rate() == 8e6);
  run(pace, now, received, 8e6, 200ms);
  CHECK(*pace.rate() == 8e6);
}

TEST_CASE("A source has no measured speed until its first byte or a second has passed", "[pace]") {
  Pace pace(kMost, 5);
  runtime::TimePoint now{};
  std::uint64_t received = 0;
  pace.update(now, 0, true);
  run(pace, now, received, 0, 900ms);
  CHECK_FALSE(pace.rate());
  run(pace, now, received, 0, 200ms);
  CHECK(*pace.rate() == 0);
}

TEST_CASE("Updates in quick succession are merged into one sample", "[pace]") {
  Pace pace(kMost, 5);
  runtime::TimePoint now{};
  for (int i = 0; i < 100'000; ++i) {
    now += 10us;
    pace.update(now, static_cast<std::uint64_t>(i) * 100, true);
  }
  CHECK(*pace.rate() > 9.9e6);
  CHECK(*pace.rate() < 10.1e6);
}
