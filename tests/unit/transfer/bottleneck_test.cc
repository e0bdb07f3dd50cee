#include "libpeer/transfer/bottleneck.h"

#include <catch2/catch_test_macros.hpp>

using peer::transfer::bottleneck;
using peer::transfer::TimeBreakdown;

TEST_CASE("The bottleneck of a download is where its time is spent", "[bottleneck]") {
  TimeBreakdown time;
  CHECK_FALSE(bottleneck(time));
  time.samples = 40;
  time.reading_ns = 1000;
  CHECK_FALSE(bottleneck(time));  // without any bytes the cause is unknown
  time.received = 100;
  CHECK(bottleneck(time) == "network");
  time.held_back = 51;
  CHECK(bottleneck(time) == "sender");
  time.writing_ns = 1001;
  CHECK(bottleneck(time) == "cpu");
  time.syncing = 21;
  CHECK(bottleneck(time) == "disk");
  time = {40, 21, 0, 1000, 10, 100, 100};
  CHECK(bottleneck(time) == "disk");
  time = {40, 0, 0, 1000, 900, 100, 0};
  CHECK_FALSE(bottleneck(time));  // no cause stands out
}

TEST_CASE("Exactly half of the time or of the bytes does not make a bottleneck", "[bottleneck]") {
  CHECK(bottleneck({40, 20, 0, 1000, 10, 100, 0}) == "network");  // blocked in half of the samples
  CHECK(bottleneck({40, 0, 20, 10, 1000, 100, 0}) == "cpu");      // syncing in half of the samples
  CHECK(bottleneck({40, 0, 0, 1000, 10, 100, 50}) == "network");  // half of the bytes held back
  CHECK_FALSE(bottleneck({40, 0, 0, 1000, 1000, 100, 0}));        // reading takes as long as writing
  CHECK_FALSE(bottleneck({40, 0, 0, 2000, 1000, 100, 0}));
}
