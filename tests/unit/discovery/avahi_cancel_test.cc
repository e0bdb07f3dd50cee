// Discovery ends within kCancelTime of its cancellation, in whichever call D-Bus stops answering.
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <thread>

#include "fake_bus.h"
#include "libpeer/discovery/avahi_discovery.h"
#include "libpeer/net/interfaces.h"
#include "libpeer/runtime/manual_executor.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/sleep.h"
#include "support/run_task.h"
#include "support/store/temp_directory.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

constexpr unsigned kNever = 100'000;

/// The address of the bus. It is the same for the whole process, because libdbus reads it only once.
const std::string& bus_path() {
  static const TempDirectory directory;
  static const std::string path = [] {
    std::string at = directory / "bus";
    setenv("DBUS_SYSTEM_BUS_ADDRESS", ("unix:path=" + at).c_str(), 1);
    return at;
  }();
  return path;
}

struct Bench {
  explicit Bench(unsigned silent_from) {
    std::filesystem::remove(bus_path());
    bus.emplace(bus_path(), silent_from, one_peer());
  }

  /// Uses the first interface with an IPv4 network. If there is none, no record is watched.
  static FakePeer one_peer() {
    FakePeer peer;
    peer.record.id = PeerId::from_hex(std::string(64, '7')).value();
    peer.record.name = "other";
    peer.address = "127.0.0.2";
    const auto all = net::interface_addresses();
    for (const net::InterfaceAddress& each : all.value()) {
      if (!each.up || each.name == "lo" || !each.address.is_v4()) continue;
      peer.interface = static_cast<int>(each.index);
      const std::string text = each.address.to_string();
      peer.address = text.substr(0, text.rfind(':'));
      break;
    }
    return peer;
  }

  std::optional<FakeBus> bus;
};

std::size_t threads() {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}));
}

/// Waits in real time, for other threads.
bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 60'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(1ms);
  }
  return false;
}

runtime::Task<void> run(discovery::AvahiDiscovery& subject, runtime::CancellationToken token) {
  discovery::Record self;
  self.id = PeerId::from_hex(std::string(64, '3')).value();
  self.name = "test";
  const auto deaf = [](const discovery::Event&) {};
  co_await subject.run(std::move(self), 24747, deaf, token);
}

/// How many calls the client makes until it has made every kind of call.
unsigned calls_of_all_kinds() {
  Bench bench(kNever);
  runtime::ManualExecutor executor;
  discovery::AvahiDiscovery subject(executor, {}, Log());
  runtime::Scope scope(executor, "test", runtime::CancellationToken());
  scope.spawn("run", run(subject, scope.token()));
  executor.run_ready();
  const bool resolves = Bench::one_peer().interface != 0;
  REQUIRE(eventually([&] {
    executor.run_ready();
    if (bench.bus->published()) subject.set_revision(5);  // the text changes, and is published again
    return bench.bus->text_updated() && (bench.bus->record_watched() || !resolves);
  }));
  scope.request_stop();
  run_sync(executor, scope.join());
  return bench.bus->calls();
}

/// The control loop's virtual time from the cancellation to the end. The thread makes no progress in it, so the time
/// does not depend on what the thread does.
runtime::Duration time_to_end(unsigned silent_from) {
  const std::size_t before = threads();
  std::optional<Bench> bench;
  bench.emplace(silent_from);
  runtime::ManualExecutor executor;
  discovery::AvahiDiscovery subject(executor, {}, Log());
  runtime::Scope scope(executor, "test", runtime::CancellationToken());
  scope.spawn("run", run(subject, scope.token()));
  executor.run_ready();
  REQUIRE(eventually([&] {
    executor.run_ready();
    if (bench->bus->published()) subject.set_revision(5);
    return bench->bus->silent();
  }));
  const runtime::TimePoint asked = executor.now();
  scope.request_stop();
  for (int ms = 0; ms < 60'000 && !scope.empty(); ++ms) executor.advance(1ms);
  REQUIRE(scope.empty());
  run_sync(executor, scope.join());
  const runtime::Duration took = executor.now() - asked;
  bench->bus.reset();                                        // lets an abandoned call return
  REQUIRE(eventually([&] { return threads() <= before; }));  // and its thread ends before the objects that it uses
  return took;
}

struct RealEnd {
  runtime::Duration took{};
  bool abandoned = false;
};

RealEnd real_end(unsigned silent_from) {
  const std::size_t before = threads();
  Bench bench(silent_from);
  RealEnd end;
  const Log log([&end](LogLevel, std::string_view, const std::string& line,
                       const LogFields&) { end.abandoned = end.abandoned || line.contains("abandoned"); },
                "discovery");
  run_on_uv([&](runtime::UvExecutor& executor) -> runtime::Task<void> {
    return [](runtime::UvExecutor& loop, Bench& b, const Log& l, RealEnd& e) -> runtime::Task<void> {
      discovery::AvahiDiscovery subject(loop, {}, l);
      runtime::Scope scope(loop, "test", runtime::CancellationToken());
      scope.spawn("run", run(subject, scope.token()));
      while (!b.bus->silent()) {
        if (b.bus->published()) subject.set_revision(5);
        co_await runtime::sleep_for(loop, 1ms, runtime::CancellationToken());
      }
      const runtime::TimePoint asked = loop.now();
      scope.request_stop();
      co_await scope.join();
      e.took = loop.now() - asked;
    }(executor, bench, log, end);
  });
  bench.bus.reset();
  REQUIRE(eventually([&] { return threads() <= before; }));
  return end;
}

}  // namespace

TEST_CASE("Discovery cancelled during any call to a silent D-Bus ends in time") {
  const unsigned last = calls_of_all_kinds();
  INFO(last << " calls");
  REQUIRE(last > 10);
  for (unsigned call = 0; call <= last; ++call) {
    INFO("silent from call " << call);
    CHECK(time_to_end(call) <= discovery::kCancelTime);
  }
}

// Other processes can only increase the real time that is measured, so the shortest of several attempts counts.
TEST_CASE("A call to a silent D-Bus is interrupted, and the thread ends in time") {
  constexpr unsigned kFirstAfterHello = 2;  // before Hello there is no socket to shut down
  constexpr int kAttempts = 20;
  const unsigned last = calls_of_all_kinds();
  for (unsigned call = 0; call <= last; ++call) {
    INFO("silent from call " << call);
    bool in_time = false;
    for (int attempt = 0; attempt < kAttempts && !in_time; ++attempt) {
      const RealEnd end = real_end(call);
      in_time = end.took <= discovery::kCancelTime && (call < kFirstAfterHello || !end.abandoned);
    }
    CHECK(in_time);
  }
}
