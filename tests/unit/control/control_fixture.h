// A ControlServer with a fake peer, on a real loop and a socket in a temporary directory, and clients on the same loop.
#pragma once

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "libpeer/control/server.h"
#include "libpeer/runtime/sleep.h"

namespace peer::control {

using Json = nlohmann::ordered_json;

/// A client that runs the loop while it waits. No test depends on how long that takes.
class TestClient {
 public:
  TestClient(runtime::Executor& executor, const std::string& path) : executor_(executor) {
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;
  ~TestClient() { close(fd_); }

  bool connected() const { return connected_; }
  void stop_sending() { shutdown(fd_, SHUT_WR); }

  runtime::Task<void> send(std::string text) {
    std::size_t sent = 0;
    while (sent < text.size()) {
      const ssize_t count = ::send(fd_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (count > 0) {
        sent += static_cast<std::size_t>(count);
      } else if (errno == EAGAIN) {
        co_await runtime::sleep_for(executor_, std::chrono::milliseconds(1), runtime::CancellationToken{});
      } else {
        co_return;  // closed by the server; read() will return null
      }
    }
  }

  /// Returns the next line as JSON, or null if the server has closed the connection.
  runtime::Task<Json> read() {
    for (;;) {
      if (const std::size_t end = input_.find('\n'); end != std::string::npos) {
        Json json = Json::parse(input_.substr(0, end));
        input_.erase(0, end + 1);
        co_return json;
      }
      char chunk[4096];
      const ssize_t count = recv(fd_, chunk, sizeof chunk, 0);
      if (count > 0) {
        input_.append(chunk, static_cast<std::size_t>(count));
      } else if (count < 0 && errno == EAGAIN) {
        co_await runtime::sleep_for(executor_, std::chrono::milliseconds(1), runtime::CancellationToken{});
      } else {
        co_return Json();
      }
    }
  }

  runtime::Task<Json> call(std::string line) {
    co_await send(line + "\n");
    co_return co_await read();
  }

 private:
  runtime::Executor& executor_;
  int fd_ = -1;
  bool connected_ = false;
  std::string input_;
};

/// A directory, a loop and a fake peer. The peer answers GetStatus at once, keeps the replies of Rescan in `kept`, and
/// accepts no other command except CancelDownload, which fails.
struct ControlTest {
  ControlTest() {
    char name[] = "/tmp/peerd-test-XXXXXX";
    directory = mkdtemp(name);
    path = directory + "/run/peerd.sock";
  }
  ~ControlTest() { std::filesystem::remove_all(directory); }

  SendCommand peer() {
    return [this](api::Command command) {
      if (auto* status = std::get_if<api::Request<api::GetStatus>>(&command)) {
        api::Status answer;
        answer.name = "fake";
        status->reply(answer);
      } else if (auto* rescan = std::get_if<api::Request<api::Rescan>>(&command)) {
        kept.push_back(std::move(rescan->reply));
      } else if (auto* cancel = std::get_if<api::Request<api::CancelDownload>>(&command)) {
        cancel->reply(fail(ErrorCode::not_found, "there is no download of " + cancel->command.game));
      } else {
        return false;
      }
      return true;
    };
  }

  /// Runs `body(*this, server)` while the server is open.
  template <class F>
  void run(F body) {
    executor.run(main(*this, body));
  }

  template <class F>
  static runtime::Task<void> main(ControlTest& test, F body) {
    runtime::Scope scope(test.executor, "test", runtime::CancellationToken{});
    ControlOptions options{test.path, "1.2.3", [] { return std::int64_t{0}; }, test.log};
    ControlServer server(test.executor, scope, std::move(options));
    auto opened = server.open(test.peer());
    REQUIRE(opened);
    scope.spawn("server", server.run(scope.token()));
    co_await body(test, server);
    scope.request_stop();
    co_await scope.join();
    test.kept.clear();
  }

  std::vector<std::string> lines;  ///< what the server logged
  const Log log{
      [this](LogLevel, std::string_view, const std::string& line, const LogFields&) { lines.push_back(line); }, "test"};
  std::string directory;
  std::string path;
  runtime::UvExecutor executor;
  std::vector<std::function<void(Result<api::Rescan::Reply>)>> kept;
};

}  // namespace peer::control
