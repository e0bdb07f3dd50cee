#include "libpeer/host/state_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "support/store/temp_directory.h"

namespace peer::host {
namespace {

constexpr uid_t kStranger = 61001;

struct StateTest {
  StateTest() { REQUIRE(mkdir(state.c_str(), 0700) == 0); }
  Result<StateDirectory> open() { return StateDirectory::open(state, log); }
  static unsigned mode(const std::string& path) {
    struct stat info{};
    REQUIRE(stat(path.c_str(), &info) == 0);
    return info.st_mode & 07777U;
  }
  static void set_mode(const std::string& path, unsigned mode) { REQUIRE(chmod(path.c_str(), mode) == 0); }
  static void give_to(const std::string& path, uid_t user, gid_t group) {
    if (geteuid() != 0) SKIP("only root can give files away");
    REQUIRE(chown(path.c_str(), user, group) == 0);
  }

  const test::TempDirectory place;
  const std::string state = place / "state";
  std::vector<std::string> lines;
  const Log log{
      [this](LogLevel, std::string_view, const std::string& line, const LogFields&) { lines.push_back(line); }, "test"};
};

}  // namespace

TEST_CASE("A state directory and a key that only their owner can read are used without a log line") {
  StateTest test;
  for (int i = 0; i < 2; ++i) {
    const auto state = test.open();
    REQUIRE(state.has_value());
    REQUIRE(state->identity().has_value());
  }
  CHECK(StateTest::mode(test.state) == 0700);
  CHECK(StateTest::mode(test.state + "/identity.pem") == 0600);
  CHECK(test.lines.empty());
}

TEST_CASE("A state directory that others have access to gets mode 0700, and this is logged") {
  for (const unsigned mode : {0777U, 0750U, 0701U, 02770U}) {
    StateTest test;
    StateTest::set_mode(test.state, mode);
    REQUIRE(test.open().has_value());
    CHECK(StateTest::mode(test.state) == 0700);
    REQUIRE(test.lines.size() == 1);
    CHECK(test.lines[0].contains("the state directory " + test.state));
  }
}

TEST_CASE("A key that others can read gets mode 0600, and this is logged") {
  StateTest test;
  const std::string key = test.state + "/identity.pem";
  const auto first = test.open()->identity();
  REQUIRE(first.has_value());
  StateTest::set_mode(key, 0644);
  const auto second = test.open()->identity();
  REQUIRE(second.has_value());
  CHECK(second->id() == first->id());
  CHECK(StateTest::mode(key) == 0600);
  REQUIRE(test.lines.size() == 1);
  CHECK(test.lines[0].contains("the identity " + key + " had mode 0644"));
}

TEST_CASE("A state directory of another user is refused, and the error says what to type") {
  StateTest test;
  StateTest::give_to(test.state, kStranger, kStranger);
  const auto state = test.open();
  REQUIRE_FALSE(state.has_value());
  CHECK(state.error().code == ErrorCode::refused);
  INFO(state.error().message);
  CHECK(state.error().message.contains("chown -R 0 " + test.state));
}

TEST_CASE("A key of another user is refused, and the error says what to type") {
  StateTest test;
  REQUIRE(test.open()->identity().has_value());
  StateTest::give_to(test.state + "/identity.pem", kStranger, kStranger);
  const auto identity = test.open()->identity();
  REQUIRE_FALSE(identity.has_value());
  CHECK(identity.error().code == ErrorCode::refused);
  CHECK(identity.error().message.contains("chown -R 0 " + test.state + "/identity.pem"));
}

TEST_CASE(
    "A state directory below a directory that others can write to is refused, unless the sticky bit protects it") {
  StateTest test;
  StateTest::set_mode(test.place.path(), 0777);
  const auto refused = test.open();
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == ErrorCode::refused);
  INFO(refused.error().message);
  CHECK(refused.error().message.contains("chmod go-w " + test.place.path()));
  StateTest::set_mode(test.place.path(), 01777);
  CHECK(test.open().has_value());
  CHECK(test.lines.empty());
}

TEST_CASE("A directory above the state directory must not belong to another user, nor be writable for a group") {
  StateTest test;
  StateTest::give_to(test.place.path(), kStranger, 0);
  CHECK_FALSE(test.open().has_value());
  StateTest::give_to(test.place.path(), 0, kStranger);
  CHECK(test.open().has_value());
  StateTest::set_mode(test.place.path(), 0770);
  CHECK_FALSE(test.open().has_value());
  StateTest::give_to(test.place.path(), 0, 0);  // the group of root has no other member
  CHECK(test.open().has_value());
}

}  // namespace peer::host
