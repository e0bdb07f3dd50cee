#include "libpeer/control/server.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <memory>

#include "control_fixture.h"
#include "libpeer/control/methods.h"

namespace peer::control {
namespace {

constexpr const char* kStatus = R"({"jsonrpc":"2.0","id":1,"method":"status"})";

runtime::Task<void> answers_calls(ControlTest& test, ControlServer&) {
  struct stat info{};
  REQUIRE(stat(test.path.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0660);
  TestClient client(test.executor, test.path);
  const Json status = co_await client.call(kStatus);
  CHECK(status["id"] == 1);
  CHECK(status["result"]["name"] == "fake");
  CHECK(status["result"]["version"] == "1.2.3");

  const Json error =
      co_await client.call(R"({"jsonrpc":"2.0","id":"x","method":"downloads.cancel","params":{"game":"g"}})");
  CHECK(error["id"] == "x");
  CHECK(error["error"]["code"] == -32000);
  CHECK(error["error"]["data"]["code"] == "no_such_game");
  const Json busy = co_await client.call(R"({"jsonrpc":"2.0","id":2,"method":"peers.list"})");
  CHECK(busy["error"]["data"]["code"] == "busy");
}

TEST_CASE("Calls are answered; an error has its word in data.code") { ControlTest().run(answers_calls); }

runtime::Task<void> goes_on_after_bad_lines(ControlTest& test, ControlServer&) {
  TestClient client(test.executor, test.path);
  Json answer = co_await client.call("{nonsense");
  CHECK(answer["error"]["code"] == -32700);
  CHECK(answer["error"]["data"]["code"] == "invalid");
  answer = co_await client.call("{}");
  CHECK(answer["error"]["code"] == -32600);
  CHECK(answer["error"]["data"]["code"] == "invalid");
  answer = co_await client.call(R"({"jsonrpc":"2.0","id":1,"method":"no.such"})");
  CHECK(answer["error"]["code"] == -32601);
  CHECK(answer["error"]["data"]["code"] == "invalid");
  answer = co_await client.call(R"({"jsonrpc":"2.0","id":1,"method":"games.show"})");
  CHECK(answer["error"]["code"] == -32602);
  CHECK(answer["error"]["data"]["code"] == "invalid");
  answer = co_await client.call(R"({"jsonrpc":"2.0","id":1,"method":"games.show","params":{"game":5}})");
  CHECK(answer["error"]["code"] == -32602);
  CHECK(answer["error"]["data"]["code"] == "invalid");
  answer = co_await client.call(R"({"jsonrpc":"2.0","id":1,"method":"status","params":{"more":5}})");
  CHECK(answer["error"]["code"] == -32602);
  CHECK(answer["error"]["data"]["code"] == "invalid");
  // A notification has no answer, so the next answer belongs to the next call.
  co_await client.send("{\"jsonrpc\":\"2.0\",\"method\":\"no.such\"}\n");
  answer = co_await client.call(kStatus);
  CHECK(answer["result"]["name"] == "fake");
}

TEST_CASE("An invalid line gets an error, and the connection stays open") {
  ControlTest().run(goes_on_after_bad_lines);
}

runtime::Task<void> checks_versions(ControlTest& test, ControlServer&) {
  TestClient client(test.executor, test.path);
  for (const char* method : {"games.show", "downloads.start"}) {
    for (const char* version : {"\"zzzzzzzzzz\"", "\"1234567\"", "\"\"", "12345678", "\"0x123456789\""}) {
      const Json answer = co_await client.call(R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(method) +
                                               R"(","params":{"game":"g","version":)" + version + "}}");
      CHECK(answer["error"]["code"] == -32602);
      CHECK(answer["error"]["data"]["code"] == "invalid");
      CHECK(answer["error"]["message"] == "version must be 8 to 64 hex digits");
    }
    // Both cases are accepted; the fake peer then refuses the command.
    const Json answer = co_await client.call(R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(method) +
                                             R"(","params":{"game":"g","version":"0123ABCDef"}})");
    CHECK(answer["error"]["data"]["code"] == "busy");
  }
}

TEST_CASE("A version must be 8 to 64 hex digits") { ControlTest().run(checks_versions); }

runtime::Task<void> logs_changes(ControlTest& test, ControlServer&) {
  TestClient client(test.executor, test.path);
  const std::string who = " by uid " + std::to_string(getuid()) + " (pid " + std::to_string(getpid()) + ")";
  co_await client.call(R"({"jsonrpc":"2.0","id":1,"method":"status"})");
  co_await client.call(R"({"jsonrpc":"2.0","id":2,"method":"games.list"})");
  co_await client.call(R"({"jsonrpc":"2.0","id":3,"method":"events.unsubscribe"})");
  co_await client.call(R"({"jsonrpc":"2.0","id":4,"method":"games.remove"})");  // the parameter is missing
  CHECK(test.lines.empty());
  co_await client.call(R"({"jsonrpc":"2.0","id":5,"method":"games.remove","params":{"game":"quake"}})");
  co_await client.call(R"({"jsonrpc":"2.0","id":6,"method":"limits.set","params":{"up":5}})");
  const std::string longest(kMaxDescription + 1, 'x');
  co_await client.call(R"({"jsonrpc":"2.0","id":7,"method":"games.remove","params":{"game":")" + longest + "\"}}");
  REQUIRE(test.lines.size() == 3);
  CHECK(test.lines[0] == "games.remove quake" + who);
  CHECK(test.lines[1] == "limits.set 5" + who);
  CHECK(test.lines[2] == ("games.remove " + longest).substr(0, kMaxDescription) + "..." + who);
}

TEST_CASE("A call that changes something is logged with the user and process that made it") {
  ControlTest().run(logs_changes);
}

runtime::Task<void> tells_why_it_stops(ControlTest& test, ControlServer& server) {
  TestClient client(test.executor, test.path);
  co_await client.send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"library.rescan\"}\n");
  co_await client.send("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"library.rescan\"}\n");
  co_await client.send("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"library.rescan\"}\n");
  while (test.kept.size() < 3) {
    co_await runtime::sleep_for(test.executor, std::chrono::milliseconds(1), runtime::CancellationToken{});
  }
  test.kept[0](fail(ErrorCode::cancelled, "by a person"));
  Json answer = co_await client.read();
  CHECK(answer["error"]["message"] == "by a person");
  CHECK(answer["error"]["data"] == Json{{"code", "cancelled"}});
  server.publish(api::RuntimeFailed{"QuicServer", "socket closed"});
  server.publish(api::ShuttingDown{});
  test.kept[1](fail(ErrorCode::cancelled, "the daemon is stopping"));
  answer = co_await client.read();
  CHECK(answer["error"]["message"] == "peerd stopped (RuntimeFailed: QuicServer: socket closed)");
  CHECK(answer["error"]["data"] == Json{{"code", "cancelled"}, {"stopping", true}});
  test.kept[2](fail(ErrorCode::not_found, "no game x"));  // failed on its own
  answer = co_await client.read();
  CHECK(answer["error"]["message"] == "no game x");
  CHECK(answer["error"]["data"] == Json{{"code", "no_such_game"}});
  answer =
      co_await client.call(R"({"jsonrpc":"2.0","id":2,"method":"peers.list"})");  // the peer accepts no more commands
  CHECK(answer["error"]["data"] == Json{{"code", "busy"}, {"stopping", true}});
}

TEST_CASE("A command that the stop interrupts fails with the reason of the stop") {
  ControlTest().run(tells_why_it_stops);
}

runtime::Task<void> closes_beyond_limits(ControlTest& test, ControlServer&) {
  TestClient longer(test.executor, test.path);
  Json answer = co_await longer.call(std::string(200'000, ' '));
  CHECK(answer["error"]["code"] == -32600);
  CHECK(answer["error"]["data"]["code"] == "invalid");
  answer = co_await longer.read();
  CHECK(answer.is_null());

  TestClient deeper(test.executor, test.path);
  answer = co_await deeper.call(std::string(33, '[') + std::string(33, ']'));
  CHECK(answer["error"]["code"] == -32600);
  CHECK(answer["error"]["data"]["code"] == "invalid");
  answer = co_await deeper.read();
  CHECK(answer.is_null());

  // Exactly at the limits, lines are answered.
  TestClient client(test.executor, test.path);
  std::string line = kStatus;
  line.append(65536 - line.size(), ' ');
  answer = co_await client.call(line);
  CHECK(answer["result"]["name"] == "fake");
  answer = co_await client.call(std::string(32, '[') + std::string(32, ']'));
  CHECK(answer[0]["error"]["code"] == -32600);
}

TEST_CASE("A line that is too long or nested too deep gets an error and closes the connection") {
  ControlTest().run(closes_beyond_limits);
}

runtime::Task<void> answers_batches(ControlTest& test, ControlServer&) {
  TestClient client(test.executor, test.path);
  co_await client.send(std::string("[") + kStatus + R"(,{"jsonrpc":"2.0","id":2,"method":"library.rescan"},)" +
                       "{\"jsonrpc\":\"2.0\",\"method\":\"status\"}]\n");
  while (test.kept.empty())
    co_await runtime::sleep_for(test.executor, std::chrono::milliseconds(1), runtime::CancellationToken{});
  test.kept[0](api::Rescan::Reply{});
  const Json answer = co_await client.read();
  REQUIRE(answer.size() == 2);
  CHECK(answer[0]["id"] == 1);
  CHECK(answer[1]["result"]["ok"] == true);
}

TEST_CASE("The answers of a batch arrive together, without answers for notifications") {
  ControlTest().run(answers_batches);
}

runtime::Task<void> bounds_outstanding(ControlTest& test, ControlServer&) {
  TestClient client(test.executor, test.path);
  std::string many;
  for (int i = 0; i < 100; ++i)
    many += R"({"jsonrpc":"2.0","id":)" + std::to_string(i) +
            R"(,"method":"library.rescan"})"
            "\n";
  co_await client.send(many);
  // Once another client has been answered, the lines of the first one have been read.
  TestClient other(test.executor, test.path);
  for (int i = 0; i < 20; ++i) {
    const Json answer = co_await other.call(kStatus);
    CHECK(answer["result"]["name"] == "fake");
  }
  CHECK(test.kept.size() == 32);
  std::size_t answered = 0;
  while (answered < 100) {
    while (answered >= test.kept.size())
      co_await runtime::sleep_for(test.executor, std::chrono::milliseconds(1), runtime::CancellationToken{});
    test.kept[answered](api::Rescan::Reply{});
    const Json answer = co_await client.read();
    CHECK(answer["id"] == answered);
    ++answered;
    CHECK(test.kept.size() <= answered + 32);
  }
}

TEST_CASE("A client has at most 32 calls in progress, and all its calls are answered") {
  ControlTest().run(bounds_outstanding);
}

runtime::Task<void> refuses_one_more(ControlTest& test, ControlServer&) {
  std::vector<std::unique_ptr<TestClient>> clients;
  for (std::size_t i = 0; i < ControlServer::kMaxClients; ++i) {
    clients.push_back(std::make_unique<TestClient>(test.executor, test.path));
    const Json answer = co_await clients.back()->call(kStatus);
    CHECK(answer["result"]["name"] == "fake");
  }
  TestClient refused(test.executor, test.path);
  Json answer = co_await refused.read();
  CHECK(answer["error"]["message"].get<std::string>().find("too many clients") != std::string::npos);
  CHECK(answer["error"]["data"]["code"] == "busy");
  answer = co_await refused.read();
  CHECK(answer.is_null());
  // The other clients are unaffected, and a free place can be used again.
  answer = co_await clients[0]->call(kStatus);
  CHECK(answer["result"]["name"] == "fake");
  clients.pop_back();
  for (;;) {
    TestClient again(test.executor, test.path);
    answer = co_await again.call(kStatus);
    if (answer.contains("result")) break;
  }
}

TEST_CASE("The 65th client is refused with an error") { ControlTest().run(refuses_one_more); }

runtime::Task<void> hears_after_half_close(ControlTest& test, ControlServer& server) {
  TestClient client(test.executor, test.path);
  Json answer = co_await client.call(R"({"jsonrpc":"2.0","id":1,"method":"events.subscribe"})");
  CHECK(answer["result"]["seq"] == 0);
  client.stop_sending();
  server.publish(api::GamesUpdated{});
  answer = co_await client.read();
  CHECK(answer["params"]["event"] == "GamesUpdated");
}

TEST_CASE("A subscriber that has ended its output still receives events") { ControlTest().run(hears_after_half_close); }

TEST_CASE("The socket of a dead daemon is replaced; a live socket or another file is not") {
  ControlTest test;
  std::filesystem::create_directories(test.directory + "/run");
  const int dead = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, test.path.c_str());
  REQUIRE(bind(dead, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  close(dead);
  test.run([](ControlTest& t, ControlServer&) -> runtime::Task<void> {
    runtime::Scope scope(t.executor, "second", runtime::CancellationToken{});
    ControlOptions options{t.path, "", [] { return std::int64_t{0}; }, Log{}};
    ControlServer second(t.executor, scope, std::move(options));
    const auto opened = second.open(t.peer());
    REQUIRE(!opened);
    CHECK(opened.error().code == ErrorCode::busy);
    co_return;
  });
  CHECK(!std::filesystem::exists(test.path));
}

/// A socket like systemd's: it listens before the daemon starts and after it has stopped.
int listening_socket(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path.c_str());
  REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(chmod(path.c_str(), 0640) == 0);
  REQUIRE(listen(fd, 8) == 0);
  return fd;
}

runtime::Task<void> serves_adopted(ControlTest& test, int held) {
  TestClient early(test.executor, test.path);
  CHECK(early.connected());
  co_await early.send(std::string(kStatus) + "\n");
  std::unique_ptr<TestClient> late;
  for (int daemon = 0; daemon < 2; ++daemon) {
    runtime::Scope scope(test.executor, "daemon", runtime::CancellationToken{});
    ControlOptions options{test.path, "", [] { return std::int64_t{0}; }, Log{}, fcntl(held, F_DUPFD_CLOEXEC, 0)};
    ControlServer server(test.executor, scope, std::move(options));
    const auto opened = server.open(test.peer());
    REQUIRE(opened);
    scope.spawn("server", server.run(scope.token()));
    TestClient& waiting = daemon == 0 ? early : *late;
    const Json answer = co_await waiting.read();
    CHECK(answer["result"]["name"] == "fake");
    server.publish(api::ShuttingDown{});
    // Accepted clients are still served; new clients wait for the next daemon.
    const Json again = co_await early.call(kStatus);
    CHECK((daemon == 0 ? again["result"]["name"] == "fake" : again.is_null()));
    if (daemon == 0) {
      late = std::make_unique<TestClient>(test.executor, test.path);
      CHECK(late->connected());
      co_await late->send(std::string(kStatus) + "\n");
    }
    scope.request_stop();
    co_await scope.join();
    struct stat info{};
    REQUIRE(stat(test.path.c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0640);
  }
}

TEST_CASE("An adopted socket outlives its servers, and calls wait from one server to the next") {
  ControlTest test;
  std::filesystem::create_directories(test.directory + "/run");
  const int held = listening_socket(test.path);
  test.executor.run(serves_adopted(test, held));
  close(held);
}

}  // namespace
}  // namespace peer::control
