#include <catch2/catch_test_macros.hpp>
#include <memory>

#include "libpeer/runtime/manual_executor.h"

using namespace peer::runtime;
using namespace std::chrono_literals;

TEST_CASE("Functions destroyed with a manual executor can no longer post") {
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
