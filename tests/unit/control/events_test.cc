#include "libpeer/control/events.h"

#include "control_fixture.h"
#include "libpeer/control/json.h"

namespace peer::control {
namespace {

runtime::Task<void> numbers_and_replays(ControlTest& test, ControlServer& server) {
  for (int i = 0; i < 1200; ++i) server.publish(api::GamesUpdated{});
  server.publish(api::ShuttingDown{});
  TestClient client(test.executor, test.path);
  Json answer = co_await client.call(R"({"jsonrpc":"2.0","id":1,"method":"events.subscribe","params":{"since":0}})");
  CHECK(answer["result"]["seq"] == 1201);
  CHECK(answer["result"]["oldest"] == 202);
  for (std::uint64_t number = 202; number <= 1201; ++number) {
    answer = co_await client.read();
    REQUIRE(answer["params"]["seq"] == number);
  }
  CHECK(answer["method"] == "event");
  CHECK(answer["params"]["event"] == "ShuttingDown");
  CHECK(answer["params"]["time"] == "1970-01-01T00:00:00.000Z");
}

TEST_CASE("A subscription with since=0 receives the last thousand events again") {
  ControlTest().run(numbers_and_replays);
}

runtime::Task<void> filters(ControlTest& test, ControlServer& server) {
  TestClient client(test.executor, test.path);
  Json answer = co_await client.call(
      R"({"jsonrpc":"2.0","id":1,"method":"events.subscribe","params":{"only":["PeerGoodbye","LocalLibraryChanged"]}})");
  api::PeerEvent goodbye{api::PeerEvent::Kind::goodbye, PeerId{}, "beta", ""};
  server.publish(api::GamesUpdated{});
  server.publish(goodbye);
  answer = co_await client.read();
  CHECK(answer["params"]["event"] == "PeerGoodbye");
  CHECK(answer["params"]["seq"] == 2);
  CHECK(answer["params"]["name"] == "beta");
  answer = co_await client.call(R"({"jsonrpc":"2.0","id":2,"method":"events.unsubscribe"})");
  server.publish(api::LocalLibraryChanged{});
  answer =
      co_await client.call(R"({"jsonrpc":"2.0","id":3,"method":"events.subscribe","params":{"only":["Nonsense"]}})");
  CHECK(answer["error"]["code"] == -32602);
  CHECK(answer["error"]["data"]["code"] == "invalid");
  CHECK(answer["error"]["message"].get<std::string>().starts_with(
      R"(there is no event "Nonsense"; the events are RuntimeReady, RuntimeFailed, )"));
  answer = co_await client.call(
      R"({"jsonrpc":"2.0","id":4,"method":"events.subscribe","params":{"only":["PeerLost","PeerConected"]}})");
  CHECK(answer["error"]["code"] == -32602);
  CHECK(answer["error"]["message"] == R"(there is no event "PeerConected": did you mean "PeerConnected"?)");
}

TEST_CASE("A subscription can name some events, and ends with events.unsubscribe") { ControlTest().run(filters); }

runtime::Task<void> overflows(ControlTest& test, ControlServer& server) {
  TestClient slow(test.executor, test.path), quick(test.executor, test.path);
  Json answer = co_await slow.call(R"({"jsonrpc":"2.0","id":1,"method":"events.subscribe"})");
  answer = co_await quick.call(R"({"jsonrpc":"2.0","id":1,"method":"events.subscribe"})");
  constexpr std::uint64_t kEvents = 20'000;
  for (std::uint64_t i = 1; i <= kEvents; ++i) {
    server.publish(api::RuntimeFailed{"component", std::string(100, 'x')});
    answer = co_await quick.read();
    REQUIRE(answer["params"]["seq"] == i);
  }
  // The slow client receives events without a gap, then one overflow with the last number, then only answers.
  std::uint64_t seen = 0;
  for (;;) {
    answer = co_await slow.read();
    if (answer["params"]["event"] == "overflow") break;
    REQUIRE(answer["params"]["seq"] == ++seen);
  }
  CHECK(seen > 100);
  CHECK(seen < kEvents);
  CHECK(answer["params"]["seq"] == seen);
  server.publish(api::GamesUpdated{});
  answer = co_await slow.call(R"({"jsonrpc":"2.0","id":2,"method":"status"})");
  CHECK(answer["result"]["name"] == "fake");
}

TEST_CASE("A client that falls behind loses only its subscription, and delays no other client") {
  ControlTest().run(overflows);
}

struct Reader final : EventReader {
  explicit Reader(bool f) : fails(f) {}
  void on_event(const NumberedEvent& event) override {
    seen.push_back(event.sequence);
    if (fails) throw std::runtime_error("no memory");
  }
  const bool fails;
  std::vector<std::uint64_t> seen;
};

TEST_CASE("A reader that throws loses its subscription; the other readers receive the event, and publish() succeeds") {
  std::vector<std::string> lines;
  EventHub hub([] { return std::int64_t{0}; }, Log([&](LogLevel, std::string_view, const std::string& line,
                                                       const LogFields&) { lines.push_back(line); },
                                                   "control"));
  Reader before(false), bad(true), after(false);
  for (Reader* reader : {&before, &bad, &after}) hub.subscribe(*reader, {});
  CHECK(hub.publish(api::GamesUpdated{}).sequence == 1);
  CHECK(hub.publish(api::GamesUpdated{}).sequence == 2);
  CHECK(before.seen == std::vector<std::uint64_t>{1, 2});
  CHECK(bad.seen == std::vector<std::uint64_t>{1});
  CHECK(after.seen == std::vector<std::uint64_t>{1, 2});
  CHECK(lines == std::vector<std::string>{"event subscription ended: the client failed at GamesUpdated: no memory"});
}

TEST_CASE("Times are written as RFC 3339, also before 1970") {
  CHECK(rfc3339(0) == "1970-01-01T00:00:00.000Z");
  CHECK(rfc3339(1'700'000'000'123'456'789) == "2023-11-14T22:13:20.123Z");
  CHECK(rfc3339(-1) == "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace peer::control
