#include "daemon/service/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <string>

namespace peer::daemon {
namespace {

/// The end of NOTIFY_SOCKET that belongs to systemd.
class Manager {
 public:
  Manager() {
    char name[] = "/tmp/peerd-test-XXXXXX";
    directory_ = mkdtemp(name);
    const std::string path = directory_ + "/notify";
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    REQUIRE(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  ~Manager() {
    unsetenv("NOTIFY_SOCKET");
    close(fd_);
    std::filesystem::remove_all(directory_);
  }
  /// Returns the next notification, or an empty string.
  std::string next() const {
    char text[4096];
    const ssize_t size = recv(fd_, text, sizeof text, 0);
    return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "";
  }

 private:
  std::string directory_;
  int fd_ = -1;
};

long long monotonic() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return 1'000'000LL * now.tv_sec + now.tv_nsec / 1000;
}

TEST_CASE("The start ends with READY; a reload begins with RELOADING and the time, and ends with READY") {
  const Manager manager;
  Readiness readiness;
  readiness.end("Running");
  CHECK(manager.next() == "READY=1\nSTATUS=Running");
  const long long before = monotonic();
  readiness.begin();
  const std::string told = manager.next();
  const std::string head = "RELOADING=1\nMONOTONIC_USEC=";
  REQUIRE(told.starts_with(head));
  const long long time = std::stoll(told.substr(head.size()));
  CHECK(before <= time);
  CHECK(time <= monotonic());
  readiness.end("bad\nfile");
  CHECK(manager.next() == "READY=1\nSTATUS=bad file");
  CHECK(manager.next().empty());
}

TEST_CASE("READY is sent when the last of two reloads ends") {
  const Manager manager;
  Readiness readiness;
  readiness.end("Running");
  readiness.begin();
  readiness.begin();
  for (int i = 0; i < 3; ++i) CHECK(!manager.next().empty());
  readiness.end("Running");
  CHECK(manager.next().empty());
  readiness.end("Running");
  CHECK(manager.next().starts_with("READY=1"));
}

TEST_CASE("Heartbeats and the stop are sent") {
  const Manager manager;
  notify_heartbeat();
  CHECK(manager.next() == "WATCHDOG=1");
  notify_stopping();
  CHECK(manager.next().starts_with("STOPPING=1"));
}

}  // namespace
}  // namespace peer::daemon
