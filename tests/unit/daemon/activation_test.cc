#include "daemon/service/activation.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace peer::daemon {
namespace {

/// Does what systemd does: passes named sockets from descriptor 3 on to a process, with the LISTEN_ variables.
class Activated {
 public:
  Activated() {
    char name[] = "/tmp/peerd-test-XXXXXX";
    directory_ = mkdtemp(name);
  }
  ~Activated() {
    for (const int fd : sockets_) close(fd);
    std::filesystem::remove_all(directory_);
  }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  std::string socket_path() const { return path("peerd.sock"); }

  void pass_unix(const std::string& name, int type = SOCK_STREAM, bool listening = true) {
    const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string where = sockets_.empty() ? socket_path() : path(std::to_string(sockets_.size()));
    std::strcpy(address.sun_path, where.c_str());
    REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(chmod(where.c_str(), 0640) == 0);
    if (listening) REQUIRE(listen(fd, 8) == 0);
    pass(fd, name);
  }
  void pass(int fd, const std::string& name) {
    // High numbers, so that dup2() in the child does not overwrite them.
    sockets_.push_back(fcntl(fd, F_DUPFD_CLOEXEC, 100));
    close(fd);
    names_ += (names_.empty() ? "" : ":") + name;
  }

  /// Whether `test` holds in a child process to which the sockets were passed. `for_pid`: the LISTEN_PID; 0: the child.
  bool in_child(const std::function<bool()>& test, pid_t for_pid = 0) const {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      for (std::size_t i = 0; i < sockets_.size(); ++i) dup2(sockets_[i], 3 + static_cast<int>(i));
      setenv("LISTEN_PID", std::to_string(for_pid == 0 ? getpid() : for_pid).c_str(), 1);
      setenv("LISTEN_FDS", std::to_string(sockets_.size()).c_str(), 1);
      setenv("LISTEN_FDNAMES", names_.c_str(), 1);
      _exit(test() ? 0 : 1);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    return status == 0;
  }

 private:
  std::string directory_;
  std::string names_;
  std::vector<int> sockets_;
};

Result<std::optional<PassedSocket>> receive(const std::optional<std::string>& expected = std::nullopt) {
  return receive_passed_socket(expected, Log());
}

bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

TEST_CASE("Without passed descriptors no socket is returned") {
  unsetenv("LISTEN_PID");
  unsetenv("LISTEN_FDS");
  const auto socket = receive();
  REQUIRE(socket);
  CHECK(!*socket);
}

TEST_CASE("The passed control socket keeps its path and mode, becomes close-on-exec, and leaves the environment") {
  Activated systemd;
  systemd.pass_unix("control");
  CHECK(systemd.in_child([&] {
    const auto socket = receive();
    if (!socket || !*socket) return false;
    struct stat info{};
    return (*socket)->fd == 3 && (*socket)->path == systemd.socket_path() && (fcntl(3, F_GETFD) & FD_CLOEXEC) != 0 &&
           std::getenv("LISTEN_FDS") == nullptr && std::getenv("LISTEN_PID") == nullptr &&
           stat(systemd.socket_path().c_str(), &info) == 0 && (info.st_mode & 07777) == 0640;
  }));
}

TEST_CASE("Descriptors passed to another process are left alone") {
  Activated systemd;
  systemd.pass_unix("control");
  CHECK(systemd.in_child(
      [] {
        const auto socket = receive();
        return socket && !*socket && is_open(3);
      },
      1));
}

TEST_CASE("Of several descriptors the one named control is used, and the others are closed") {
  Activated systemd;
  systemd.pass_unix("other");
  systemd.pass_unix("control");
  CHECK(systemd.in_child([] {
    const auto socket = receive();
    return socket && *socket && (*socket)->fd == 4 && !is_open(3) && is_open(4);
  }));
}

TEST_CASE("A single passed socket may have any name") {
  Activated systemd;
  systemd.pass_unix("peerd.socket");
  CHECK(systemd.in_child([] {
    const auto socket = receive();
    return socket && *socket;
  }));
}

TEST_CASE("The flag --socket may name the passed socket but no other path") {
  Activated systemd;
  systemd.pass_unix("control");
  CHECK(systemd.in_child([&] {
    const auto socket = receive(systemd.path("./peerd.sock"));
    return socket && *socket;
  }));
  CHECK(systemd.in_child([] {
    const auto socket = receive("/run/elsewhere.sock");
    return !socket && socket.error().code == ErrorCode::invalid &&
           socket.error().message.find("--socket") != std::string::npos && !is_open(3);
  }));
}

TEST_CASE("A descriptor that is not a listening Unix stream socket is refused") {
  const auto refused = [] {
    const auto socket = receive();
    return !socket && socket.error().code == ErrorCode::invalid && !is_open(3);
  };
  SECTION("a datagram socket") {
    Activated systemd;
    systemd.pass_unix("control", SOCK_DGRAM, false);
    CHECK(systemd.in_child(refused));
  }
  SECTION("a socket that does not listen") {
    Activated systemd;
    systemd.pass_unix("control", SOCK_STREAM, false);
    CHECK(systemd.in_child(refused));
  }
  SECTION("a UDP socket") {
    Activated systemd;
    systemd.pass(socket(AF_INET, SOCK_DGRAM, 0), "control");
    CHECK(systemd.in_child(refused));
  }
  SECTION("a file") {
    Activated systemd;
    systemd.pass(open("/dev/null", O_RDWR), "control");
    CHECK(systemd.in_child(refused));
  }
}

}  // namespace
}  // namespace peer::daemon
