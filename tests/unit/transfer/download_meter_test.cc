#include "libpeer/transfer/download_meter.h"

#include <catch2/catch_test_macros.hpp>

using namespace peer;
using namespace std::chrono_literals;
using transfer::DownloadMeter;

TEST_CASE("The rate of a download is that of its last three seconds", "[meter]") {
  DownloadMeter meter;
  runtime::TimePoint now{};
  std::uint64_t received = 0;
  meter.sample_rate(now, 0);
  CHECK(meter.rate() == 0);
  for (int i = 0; i < 40; ++i) meter.sample_rate(now += 250ms, received += 250);
  CHECK(meter.rate() == 1000);
  for (int i = 0; i < 13; ++i) meter.sample_rate(now += 250ms, received);
  CHECK(meter.rate() == 0);
}

TEST_CASE("The bottleneck is judged after a second of samples, and kept until the next judgment", "[meter]") {
  DownloadMeter meter;
  transfer::TimeBreakdown network;
  network.samples = 1;
  network.received = 100;
  network.reading_ns = 1000;
  for (int i = 0; i < 39; ++i) meter.sample_time(network);
  CHECK_FALSE(meter.bottleneck());
  meter.sample_time(network);
  CHECK(meter.bottleneck() == "network");
  transfer::TimeBreakdown disk = network;
  disk.blocked = 1;
  for (int i = 0; i < 39; ++i) meter.sample_time(disk);
  CHECK(meter.bottleneck() == "network");
  meter.sample_time(disk);
  CHECK(meter.bottleneck() == "disk");
  meter.reset_bottleneck();
  CHECK_FALSE(meter.bottleneck());
}
