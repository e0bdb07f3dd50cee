#include "libpeer/sessions/log_limit.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

using namespace peer;
using namespace std::chrono_literals;

namespace {
struct LimitedLog {
  std::vector<std::string> lines;
  runtime::TimePoint now{1h};
  Log log = sessions::limit_peer_lines(
      Log([this](LogLevel, std::string_view, const std::string& line,
                 const LogFields& fields) { lines.push_back((fields.empty() ? "" : fields[0].value + ": ") + line); },
          "test"),
      [this] { return now; });
};
}  // namespace

TEST_CASE("A peer's lines are limited, and the next one says how many were suppressed") {
  LimitedLog limited;
  for (int i = 0; i < 1'000; ++i) limited.log.peer("ab").warn("refused");
  CHECK(limited.lines.size() == 20);
  limited.log.peer("cd").warn("refused");
  CHECK(limited.lines.back() == "cd: refused");
  limited.now += 5s;
  limited.log.peer("ab").warn("refused");
  CHECK(limited.lines.back() == "ab: refused (980 lines suppressed)");
}

TEST_CASE("The lines about many peers are limited together, lines about no peer are not") {
  LimitedLog limited;
  for (int i = 0; i < 10'000; ++i) limited.log.peer(std::to_string(i)).info("connected");
  CHECK(limited.lines.size() == 400);
  for (int i = 0; i < 500; ++i) limited.log.info("own");
  CHECK(limited.lines.size() == 900);
}
