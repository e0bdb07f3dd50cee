// Discovery ends within kCancelTime of its cancellation, in whichever call the client sits when D-Bus falls silent.
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

/// Where the bus is: the same in all of a process, since libdbus looks only once.
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

  /// On the first interface that has an IPv4 network; where there is none, no record is watched.
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

/// Real time: for what threads do.
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

/// How many calls the client makes until it has made all kinds of them.
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
    if (bench.bus->published()) subject.set_revision(5);  // the text changes, and is published anew
    return bench.bus->text_updated() && (bench.bus->record_watched() || !resolves);
  }));
  scope.request_stop();
  run_sync(executor, scope.join());
  return bench.bus->calls();
}

/// The control loop's time from the cancellation to the end. It is virtual, so the thread gets none of it: what ends in
/// time then does so whatever the thread is doing.
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
  bench->bus.reset();                                        // lets an abandoned call go
  REQUIRE(eventually([&] { return threads() <= before; }));  // and its thread end, before what it touches does
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

TEST_CASE("cancelled in any call to a D-Bus that fell silent, discovery ends within its time") {
  const unsigned last = calls_of_all_kinds();
  INFO(last << " calls");
  REQUIRE(last > 10);
  for (unsigned call = 0; call <= last; ++call) {
    INFO("silent from call " << call);
    CHECK(time_to_end(call) <= discovery::kCancelTime);
  }
}

// In real time another process may hold the processor at any moment, which only adds to what is measured: the least of
// several attempts counts.
TEST_CASE("a call to a D-Bus that fell silent is interrupted, and the thread with it ends in time") {
  constexpr unsigned kFirstAfterHello = 2;  // before it there is no socket yet that could be shut down
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
