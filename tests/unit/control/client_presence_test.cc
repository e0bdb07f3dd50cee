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

TEST_CASE("presence: a daemon is running while it holds the lock, and stopped when only the file exists") {
  const test::TempDirectory directory;
  const std::string socket = directory / "peerd.sock";
  CHECK(presence_at(socket) == Presence::unknown);
  std::optional<PresenceLock> lock(*PresenceLock::acquire(socket));
  CHECK(presence_at(socket) == Presence::running);
  CHECK(presence_at(socket) == Presence::running);  // a query changes nothing
  struct stat info{};
  REQUIRE(stat((socket + ".alive").c_str(), &info) == 0);
  CHECK((info.st_mode & 07) == 0);
  lock.reset();
  CHECK(presence_at(socket) == Presence::stopped);
  lock.emplace(*PresenceLock::acquire(socket));
  CHECK(presence_at(socket) == Presence::running);
  // A daemon that creates its own socket holds no lock; the file of an earlier one must not report it as stopped.
  lock.reset();
  PresenceLock::withdraw(socket);
  CHECK(presence_at(socket) == Presence::unknown);
}

TEST_CASE("presence: only one lock can be held, and a symlink is ignored") {
  const test::TempDirectory directory;
  const std::string socket = directory / "peerd.sock";
  const PresenceLock lock = *PresenceLock::acquire(socket);
  CHECK_FALSE(PresenceLock::acquire(socket));
  CHECK_FALSE(PresenceLock::acquire(directory / "missing/peerd.sock"));
  std::filesystem::create_symlink(socket + ".alive", directory / "other.sock.alive");
  CHECK(presence_at(directory / "other.sock") == Presence::unknown);
}
