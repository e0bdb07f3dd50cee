#include "libpeer/control/hooks.h"

#include <signal.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "libpeer/base/fault.h"
#include "libpeer/control/hook_thread.h"
#include "support/store/temp_directory.h"

using namespace peer;
using namespace peer::control;
using namespace std::chrono_literals;

namespace {

bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 30'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(2ms);
  }
  return false;
}

NumberedEvent event(const std::string& name, Json fields) {
  Json params{{"seq", 7}, {"time", "2026-01-01T00:00:00.000Z"}, {"event", name}};
  params.update(fields);
  const Json line{{"jsonrpc", "2.0"}, {"method", "event"}, {"params", std::move(params)}};
  return {7, name, std::make_shared<const std::string>(to_line(line))};
}

/// A directory for the files that the programs write, and the log.
struct Bench {
  test::TempDirectory directory;
  std::mutex mutex;
  std::vector<std::string> lines;

  std::string path(const std::string& name) const { return directory / name; }
  Log log() {
    return Log(
        [this](LogLevel, std::string_view, const std::string& line, const LogFields&) {
          const std::lock_guard lock(mutex);
          lines.push_back(line);
        },
        "hooks");
  }
  bool logged(const std::string& text) {
    const std::lock_guard lock(mutex);
    return std::ranges::any_of(lines, [&](const std::string& line) { return line.find(text) != line.npos; });
  }
  std::string read(const std::string& name) const {
    std::ifstream stream(path(name));
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  std::size_t files() const {
    return static_cast<std::size_t>(std::ranges::distance(std::filesystem::directory_iterator(directory.path())));
  }
  /// Runs `script` in a shell, with the directory of the test as $1.
  HookSettings shell(const std::string& hook, const std::string& script) const {
    HookSettings settings;
    settings.commands[hook] = {"/bin/sh", "-c", script, "hook", directory.path()};
    return settings;
  }
};

bool alive(const std::string& pid) { return !pid.empty() && kill(std::stoi(pid), 0) == 0; }

}  // namespace

TEST_CASE("A hook receives its event in the environment and as JSON on its standard input") {
  Bench bench;
  HookRunner hooks(bench.shell("download_failed", "cat >$1/in; env >$1/part; mv $1/part $1/env"), "/run/the.sock",
                   bench.log());
  hooks.on_event(event("DownloadGameFilesFailed", {{"game", "it's \"a\" $(game)"},
                                                   {"bytes_total", 12},
                                                   {"eta_s", nullptr},
                                                   {"error", {{"code", "no_space"}, {"message", "disk full"}}}}));
  REQUIRE(eventually([&] { return std::filesystem::exists(bench.path("env")); }));
  const std::string environment = bench.read("env");
  for (const char* line : {"PEERD_HOOK=download_failed\n", "PEERD_EVENT=DownloadGameFilesFailed\n", "PEERD_SEQ=7\n",
                           "PEERD_GAME=it's \"a\" $(game)\n", "PEERD_BYTES_TOTAL=12\n", "PEERD_ERROR=disk full\n",
                           "PEERD_ERROR_CODE=no_space\n", "PEERD_SOCKET=/run/the.sock\n", "PATH="}) {
    CHECK(environment.find(line) != environment.npos);
  }
  CHECK(environment.find("PEERD_ETA_S") == environment.npos);
  CHECK(Json::parse(bench.read("in")).at("error").at("code") == "no_space");
}

TEST_CASE("An event without a program runs nothing, and each added game runs one program") {
  Bench bench;
  HookRunner hooks(bench.shell("game_added", ": >\"$1/$PEERD_GAME\""), "", bench.log());
  hooks.on_event(event("PeerConnected", {{"name", "x"}}));
  hooks.on_event(event("LocalLibraryChanged", {{"added", Json::array()}, {"removed", {"old"}}}));
  hooks.on_event(event("LocalLibraryChanged", {{"added", {"one", "two"}}, {"removed", Json::array()}}));
  REQUIRE(eventually([&] { return bench.files() == 2; }));
  CHECK(std::filesystem::exists(bench.path("one")));
  CHECK(std::filesystem::exists(bench.path("two")));
}

TEST_CASE("A hook that fails or cannot be started is logged by its name") {
  Bench bench;
  HookSettings settings = bench.shell("peer_joined", "exit 3");
  settings.commands["peer_left"] = {"/nowhere/program"};
  HookRunner hooks(std::move(settings), "", bench.log());
  hooks.on_event(event("PeerConnected", Json::object()));
  hooks.on_event(event("PeerLost", Json::object()));
  CHECK(eventually([&] { return bench.logged("hook peer_joined (/bin/sh): exit code 3"); }));
  CHECK(eventually([&] { return bench.logged("hook peer_left: cannot run /nowhere/program"); }));
}

TEST_CASE("A hook that exceeds its timeout is terminated with its children, even if it ignores SIGTERM") {
  Bench bench;
  HookSettings settings =
      bench.shell("peer_left", "trap '' TERM; sleep 1000 & echo -n $! >$1/child; echo -n $$ >$1/self; sleep 1000");
  settings.timeout = 100ms;
  HookRunner hooks(std::move(settings), "", bench.log());
  hooks.on_event(event("PeerGoodbye", Json::object()));
  REQUIRE(eventually([&] { return bench.logged("hook peer_left (/bin/sh) terminated: it ran for 100 ms"); }));
  CHECK(eventually([&] { return !alive(bench.read("self")) && !alive(bench.read("child")); }));
}

TEST_CASE("Four hooks run at a time, 64 wait, and the rest are skipped and logged") {
  Bench bench;
  {
    HookRunner hooks(bench.shell("peer_joined", "while [ ! -e $1/end ]; do sleep 0.01; done; : >$1/$$"), "",
                     bench.log());
    for (int i = 0; i < 200; ++i) hooks.on_event(event("PeerConnected", Json::object()));
    CHECK(bench.logged("hook peer_joined skipped: 64 programs are waiting"));
    std::ofstream(bench.path("end")) << "";
    REQUIRE(eventually([&] { return bench.files() >= 1 + HookThread::kWaiting; }));
  }
  CHECK(bench.files() <= 1 + HookThread::kWaiting + HookThread::kRunning);
}

TEST_CASE("Peers that keep joining and leaving do not displace a download's hook") {
  Bench bench;
  HookSettings settings = bench.shell("peer_joined", "sleep 1000");
  settings.commands["download_finished"] = {"/bin/sh", "-c", ": >$1/told", "hook", bench.directory.path()};
  HookRunner hooks(std::move(settings), "", bench.log());
  for (int i = 0; i < 200; ++i) hooks.on_event(event("PeerConnected", Json::object()));
  hooks.on_event(event("DownloadGameFilesFinished", {{"game", "x"}}));
  CHECK(eventually([&] { return std::filesystem::exists(bench.path("told")); }));
}

TEST_CASE("A service that was restarted runs its hook with the component and the error") {
  Bench bench;
  HookRunner hooks(
      bench.shell("service_restarted",
                  "echo -n \"$PEERD_COMPONENT,$PEERD_ERROR,$PEERD_RESTARTS\" >$1/part; mv $1/part $1/told"),
      "", bench.log());
  hooks.on_event(event("ServiceRestarted", {{"component", "Discovery"}, {"error", "no bus"}, {"restarts", 2}}));
  REQUIRE(eventually([&] { return std::filesystem::exists(bench.path("told")); }));
  CHECK(bench.read("told") == "Discovery,no bus,2");
}

TEST_CASE("The runtime_failed hook runs to its end while everything else stops, even behind a full queue") {
  Bench bench;
  {
    HookSettings settings = bench.shell("service_restarted", "sleep 1000");
    // Longer than a hook that the stop terminates would run.
    settings.commands["runtime_failed"] = {"/bin/sh", "-c",
                                           "sleep 1; echo -n \"$PEERD_COMPONENT: $PEERD_ERROR\" >$1/told", "hook",
                                           bench.directory.path()};
    HookRunner hooks(std::move(settings), "", bench.log(), 60s);
    for (int i = 0; i < 10; ++i) hooks.on_event(event("ServiceRestarted", Json::object()));
    hooks.on_event(event("RuntimeFailed", {{"component", "QuicServer"}, {"error", "socket closed"}}));
    hooks.stop();
  }
  CHECK(bench.read("told") == "QuicServer: socket closed");
}

TEST_CASE("The runtime_failed hook is killed at the end of the stop budget, even if it ignores SIGTERM") {
  Bench bench;
  const auto begin = std::chrono::steady_clock::now();
  {
    HookRunner hooks(bench.shell("runtime_failed", "trap '' TERM; echo -n $$ >$1/part; mv $1/part $1/self; sleep 1000"),
                     "", bench.log(), 2s);
    hooks.on_event(event("RuntimeFailed", Json::object()));
    REQUIRE(eventually([&] { return std::filesystem::exists(bench.path("self")); }));
    hooks.stop();
  }
  CHECK_FALSE(alive(bench.read("self")));
  CHECK(bench.logged("hook runtime_failed (/bin/sh) terminated: it ran for 1500 ms"));
  CHECK(std::chrono::steady_clock::now() - begin < 30s);  // not 1000 s
}

TEST_CASE("Stopping terminates the running programs and waits for them") {
  Bench bench;
  {
    HookRunner hooks(bench.shell("peer_joined", "echo -n $$ >$1/part; mv $1/part $1/self; sleep 1000"), "",
                     bench.log());
    hooks.on_event(event("PeerConnected", Json::object()));
    REQUIRE(eventually([&] { return std::filesystem::exists(bench.path("self")); }));
    hooks.stop();
    hooks.on_event(event("PeerConnected", Json::object()));
  }
  CHECK_FALSE(alive(bench.read("self")));
  CHECK(bench.logged("terminated: the daemon is stopping"));
}

#if PEERD_TEST_HOOKS

TEST_CASE("An exception in one hook ends only that hook, and frees its place") {
  Bench bench;
  HookRunner hooks(bench.shell("game_added", "echo $$ >$1/$PEERD_GAME; [ $PEERD_GAME = good ] || sleep 60"), "s",
                   bench.log());
  const auto added = [&](const std::string& game) {
    hooks.on_event(event("LocalLibraryChanged", {{"added", {game}}, {"removed", Json::array()}}));
  };
  const std::size_t failing = HookThread::kRunning + 1;
  for (std::size_t i = 0; i < failing; ++i) REQUIRE(fault::arm("hook"));
  for (std::size_t i = 0; i < failing; ++i) added("bad" + std::to_string(i));
  REQUIRE(eventually([] { return fault::armed("hook") == 0; }));
  REQUIRE(eventually([&] { return bench.logged("hook game_added failed: hook: told to fail"); }));
  added("good");
  REQUIRE(eventually([&] { return std::filesystem::exists(bench.path("good")); }));
  // The programs that had started were terminated.
  const auto ended = [&](std::size_t i) { return !alive(bench.read("bad" + std::to_string(i))); };
  for (std::size_t i = 0; i < failing; ++i) CHECK(eventually([&] { return ended(i); }));
}

TEST_CASE("An exception before a hook's program is queued is logged by the hook's name") {
  Bench bench;
  HookRunner hooks(bench.shell("peer_joined", ": >$1/ran"), "", bench.log());
  REQUIRE(fault::arm("hook order"));
  CHECK_NOTHROW(hooks.on_event(event("PeerConnected", Json::object())));
  CHECK(fault::armed("hook order") == 0);
  CHECK(bench.logged("hook peer_joined failed: hook order: told to fail"));
  hooks.on_event(event("PeerConnected", Json::object()));
  REQUIRE(eventually([&] { return std::filesystem::exists(bench.path("ran")); }));
}

#endif
