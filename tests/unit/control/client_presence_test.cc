#include "libpeer/control/client_presence.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <optional>

#include "support/store/temp_directory.h"

using namespace peer;
using namespace peer::control;

TEST_CASE("presence: a daemon is running while it holds the lock, and stopped when the file alone is there") {
  const test::TempDirectory directory;
  const std::string socket = directory / "peerd.sock";
  CHECK(presence_at(socket) == Presence::unknown);
  std::optional<PresenceLock> lock(*PresenceLock::take(socket));
  CHECK(presence_at(socket) == Presence::running);
  CHECK(presence_at(socket) == Presence::running);  // asking changes nothing
  struct stat info{};
  REQUIRE(stat((socket + ".alive").c_str(), &info) == 0);
  CHECK((info.st_mode & 07) == 0);
  lock.reset();
  CHECK(presence_at(socket) == Presence::stopped);
  lock.emplace(*PresenceLock::take(socket));
  CHECK(presence_at(socket) == Presence::running);
  // A daemon that makes its own socket takes no lock: the file of an earlier one must not call it stopped.
  lock.reset();
  PresenceLock::withdraw(socket);
  CHECK(presence_at(socket) == Presence::unknown);
}

TEST_CASE("presence: one lock at a time, and what is no file of ours says nothing") {
  const test::TempDirectory directory;
  const std::string socket = directory / "peerd.sock";
  const PresenceLock lock = *PresenceLock::take(socket);
  CHECK_FALSE(PresenceLock::take(socket));
  CHECK_FALSE(PresenceLock::take(directory / "missing/peerd.sock"));
  std::filesystem::create_symlink(socket + ".alive", directory / "other.sock.alive");
  CHECK(presence_at(directory / "other.sock") == Presence::unknown);
}
