// AvahiDiscovery without a working D-Bus. The end-to-end tests use a real avahi-daemon.
#include "libpeer/discovery/avahi_discovery.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "libpeer/runtime/event.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/sleep.h"
#include "support/run_task.h"
#include "support/store/temp_directory.h"

using namespace peer;
using namespace std::chrono_literals;

namespace {

/// Sets the address of the bus during its lifetime.
struct BusAddress {
  explicit BusAddress(const std::string& path) { setenv("DBUS_SYSTEM_BUS_ADDRESS", ("unix:path=" + path).c_str(), 1); }
  ~BusAddress() { unsetenv("DBUS_SYSTEM_BUS_ADDRESS"); }
};

/// A socket that accepts connections and never answers.
struct SilentBus {
  explicit SilentBus(const std::string& path) : fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(listen(fd, 8) == 0);
  }
  ~SilentBus() { close(fd); }
  int fd;
};

struct Watched {
  std::vector<discovery::Event> reported;
  runtime::Event any;
};

runtime::Task<void> run(discovery::AvahiDiscovery& subject, Watched& watched, runtime::CancellationToken token) {
  auto report = [&watched](discovery::Event event) {
    watched.reported.push_back(std::move(event));
    watched.any.set();
  };
  discovery::Record self;
  self.name = "test";
  co_await subject.run(std::move(self), 24747, std::move(report), token);
}

runtime::Task<void> without_bus(runtime::UvExecutor& executor, std::string path) {
  const BusAddress address(path);
  discovery::AvahiDiscovery subject(executor, {}, Log());
  for (int round = 0; round < 2; ++round) {  // it can run again after a cancellation
    Watched watched;
    runtime::Scope scope(executor, "test", runtime::CancellationToken());
    scope.spawn("run", run(subject, watched, scope.token()));
    co_await watched.any.wait(runtime::CancellationToken());
    subject.set_revision(5);
    subject.network_changed();
    subject.resolve_again(PeerId());
    co_await runtime::sleep_for(executor, 700ms, runtime::CancellationToken());  // time for several attempts
    scope.request_stop();
    co_await scope.join();
    CHECK(watched.reported.size() == 1);  // reported once
    const auto* unavailable = std::get_if<discovery::Unavailable>(&watched.reported.front());
    REQUIRE(unavailable != nullptr);
    CHECK(unavailable->reason.find("avahi-daemon") != std::string::npos);
  }
}

runtime::Task<void> hung_bus(runtime::UvExecutor& executor, std::string path) {
  const BusAddress address(path);
  std::optional<SilentBus> bus;
  bus.emplace(path);
  discovery::AvahiDiscovery subject(executor, {}, Log());
  Watched watched;
  {
    runtime::Scope scope(executor, "test", runtime::CancellationToken());
    scope.spawn("run", run(subject, watched, scope.token()));
    co_await runtime::sleep_for(executor, 100ms, runtime::CancellationToken());
    const runtime::TimePoint asked = executor.now();
    scope.request_stop();
    co_await scope.join();  // the thread is in a call that takes 25 s, and is abandoned
    CHECK(executor.now() - asked < 10s);
  }
  // The next run waits until the abandoned call has returned.
  runtime::Scope scope(executor, "test", runtime::CancellationToken());
  scope.spawn("run", run(subject, watched, scope.token()));
  co_await watched.any.wait(runtime::CancellationToken());
  CHECK(std::holds_alternative<discovery::Unavailable>(watched.reported.front()));
  bus.reset();
  while (watched.reported.size() < 2) {
    watched.any.reset();
    co_await watched.any.wait(runtime::CancellationToken());
  }
  scope.request_stop();
  co_await scope.join();
}

}  // namespace

TEST_CASE("A missing D-Bus is reported once and retried") {
  const test::TempDirectory directory;
  test::run_on_uv([&](runtime::UvExecutor& executor) { return without_bus(executor, directory.path() + "/bus"); });
}

TEST_CASE("A D-Bus that hangs delays neither the cancellation nor the loop") {
  const test::TempDirectory directory;
  test::run_on_uv([&](runtime::UvExecutor& executor) { return hung_bus(executor, directory.path() + "/bus"); });
}
