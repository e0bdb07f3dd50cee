#include "libpeer/transfer/bottleneck.h"

#include <catch2/catch_test_macros.hpp>

using peer::transfer::bottleneck;
using peer::transfer::Spent;

TEST_CASE("what holds a download back is where its time goes", "[bottleneck]") {
  Spent spent;
  CHECK_FALSE(bottleneck(spent));
  spent.looks = 40;
  spent.reading_ns = 1000;
  CHECK_FALSE(bottleneck(spent));  // nothing came: who knows why
  spent.received = 100;
  CHECK(bottleneck(spent) == "network");
  spent.held_back = 51;
  CHECK(bottleneck(spent) == "sender");
  spent.writing_ns = 1001;
  CHECK(bottleneck(spent) == "cpu");
  spent.syncing = 21;
  CHECK(bottleneck(spent) == "disk");
  spent = {40, 21, 0, 1000, 10, 100, 100};
  CHECK(bottleneck(spent) == "disk");
  spent = {40, 0, 0, 1000, 900, 100, 0};
  CHECK_FALSE(bottleneck(spent));  // neither
}

TEST_CASE("half of the time or of the bytes is not most of it", "[bottleneck]") {
  CHECK(bottleneck({40, 20, 0, 1000, 10, 100, 0}) == "network");  // blocked half of the time
  CHECK(bottleneck({40, 0, 20, 10, 1000, 100, 0}) == "cpu");      // syncing half of it
  CHECK(bottleneck({40, 0, 0, 1000, 10, 100, 50}) == "network");  // half of the bytes held back
  CHECK_FALSE(bottleneck({40, 0, 0, 1000, 1000, 100, 0}));        // as long for bytes as for writing
  CHECK_FALSE(bottleneck({40, 0, 0, 2000, 1000, 100, 0}));
}
