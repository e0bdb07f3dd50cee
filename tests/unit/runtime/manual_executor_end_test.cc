#include <catch2/catch_test_macros.hpp>
#include <memory>

#include "libpeer/runtime/manual_executor.h"

using namespace peer::runtime;
using namespace std::chrono_literals;

TEST_CASE("what a manual executor drops at its end can post nothing more") {
  bool accepted = true;
  struct Poster {
    Executor& executor;
    bool& accepted;
    ~Poster() {
      accepted = executor.post([] {});
    }
  };
  {
    ManualExecutor executor;
    executor.arm(TimePoint(1s), [poster = std::make_shared<Poster>(executor, accepted)] { static_cast<void>(poster); });
  }
  CHECK_FALSE(accepted);
}
