#include "libpeer/control/client.h"

#include <thread>

#include "control_fixture.h"

namespace peer::control {
namespace {

using namespace std::chrono_literals;
using Answer = std::expected<Json, CallFailure>;

/// A blocking client on its own thread. It calls `work` once it is connected.
class ClientThread {
 public:
  ClientThread(runtime::Executor& executor, const std::string& path, std::function<Answer(Client&)> work)
      : executor_(executor), thread_([this, path, work = std::move(work)] {
          auto client = Client::connect(path);
          answer_ = client ? work(*client) : std::unexpected(client.error());
          executor_.post([this] { over_.set(); });
        }) {}
  ~ClientThread() { thread_.join(); }

  runtime::Task<Answer> answer() {
    co_await over_.wait(runtime::CancellationToken{});
    co_return answer_;
  }

 private:
  runtime::Executor& executor_;
  runtime::Event over_;
  Answer answer_;
  std::thread thread_;  // last, because it uses the other members
};

Answer rescan(Client& client) { return client.call("library.rescan", {}); }

runtime::Task<void> wait_kept(ControlTest& test) {
  while (test.kept.empty()) co_await runtime::sleep_for(test.executor, 1ms, runtime::CancellationToken{});
}

/// A daemon that ends by _exit answers nothing; only the event arrives.
runtime::Task<void> tells_why(ControlTest& test) {
  runtime::Scope scope(test.executor, "test", runtime::CancellationToken{});
  ControlOptions options{test.path, "1.2.3", [] { return std::int64_t{0}; }, Log{}};
  ControlServer server(test.executor, scope, std::move(options));
  auto opened = server.open(test.peer());
  REQUIRE(opened);
  scope.spawn("server", server.run(scope.token()));
  ClientThread client(test.executor, test.path, rescan);
  co_await wait_kept(test);
  server.publish(api::GamesUpdated{});
  server.publish(api::RuntimeFailed{"QuicServer", "the socket is gone"});
  scope.request_stop();
  co_await scope.join();
  const Answer answer = co_await client.answer();
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().kind == CallFailure::Kind::no_daemon);
  CHECK(answer.error().message == "peerd stopped (RuntimeFailed: QuicServer: the socket is gone)");
  test.kept.clear();
}

TEST_CASE("A call that the daemon never answers fails with the reason of the daemon's end") {
  ControlTest test;
  test.executor.run(tells_why(test));
}

/// The events of the client's own subscription must not reach the caller.
Answer calls_then_subscribes(Client& client) {
  if (auto waited = rescan(client); !waited) return waited;
  auto silence = client.next_event(0ms);
  if (!silence || *silence) return Json("an event without a subscription");
  if (auto subscribed = client.call("events.subscribe", {{"since", 0}}); !subscribed) return subscribed;
  auto first = client.next_event(10s);
  if (!first || !*first) return Json("no event");
  return **first;
}

runtime::Task<void> keeps_events_apart(ControlTest& test, ControlServer& server) {
  ClientThread client(test.executor, test.path, calls_then_subscribes);
  co_await wait_kept(test);
  server.publish(api::RuntimeFailed{"component", "error"});
  test.kept.front()({});
  const Answer answer = co_await client.answer();
  REQUIRE(answer.has_value());
  CHECK(answer->is_object());
  if (answer->is_object()) CHECK((*answer)["seq"] == 1);
}

TEST_CASE("The events of the client's own subscription are hidden from the caller") {
  ControlTest().run(keeps_events_apart);
}

}  // namespace
}  // namespace peer::control
