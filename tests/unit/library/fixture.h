// Fixture: a library on a disk in memory, under virtual time.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libpeer/library/library.h"
#include "libpeer/library/watcher.h"
#include "libpeer/runtime/manual_executor.h"
#include "libpeer/runtime/sleep.h"
#include "support/run_task.h"
#include "support/store/memory_disk.h"

namespace peer::library {

using namespace std::chrono_literals;

inline constexpr std::int64_t kSecond = 1'000'000'000;
inline constexpr std::int64_t kToday = 1'700'000'000 * kSecond;  ///< the wall clock at virtual time 0

/// The parts that outlive a daemon: disk, database and clock.
struct Machine {
  explicit Machine(std::uint64_t seed = 1, runtime::Duration slowest = 3ms)
      : workers(executor, seed, slowest), store_thread(executor, seed + 1, runtime::Duration::zero()) {
    // Files are old unless a test calls live().
    disk.set_clock([this] { return file_time ? *file_time : wall(); });
    file_time = kToday - 1000 * kSecond;
    disk.make_directories("/games");
  }
  std::int64_t wall() const {
    return kToday + std::chrono::nanoseconds(executor.now().time_since_epoch()).count() + clock_error;
  }
  /// From now on, files get the current time.
  void live() { file_time.reset(); }

  runtime::ManualExecutor executor;
  runtime::ManualWorkers workers;
  runtime::ManualWorkers store_thread;
  test::MemoryDisk disk;
  std::unique_ptr<store::Store> store = *store::open_sqlite_store(":memory:", Log());
  std::vector<std::string> roots = {"/games"};
  std::optional<std::int64_t> file_time;
  std::int64_t clock_error = 0;
  std::vector<std::string> log;
  Watcher* watcher = nullptr;
};

/// File content that differs between chunks and seeds.
inline std::string content(std::size_t size, char seed) {
  std::string text(size, seed);
  for (std::size_t i = 0; i < size; i += 251) text[i] = static_cast<char>(i >> 8);
  return text;
}

/// A library that runs on the machine until stop().
struct Life {
  explicit Life(Machine& m) : machine(m) {
    LibraryOptions options;
    options.roots = m.roots;
    options.wall_clock = [&m] { return m.wall(); };
    options.watcher = m.watcher;
    const LogSink sink = [&m](LogLevel, std::string_view, const std::string& line, const LogFields&) {
      m.log.push_back(line);
    };
    library.emplace(scope, m.disk, m.workers, *m.store, m.store_thread, options, Log(sink, "library"));
    library->on_change([this](bool offered) {
      ++changes;
      offers += offered ? 1 : 0;
    });
  }
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;
  ~Life() { stop(); }

  /// Starts the service.
  void start() { scope.spawn("LocalMonitor", library->run(scope.token())); }
  void start_and_run(runtime::Duration time) {
    start();
    machine.executor.advance(time);
  }
  void stop() {
    if (!library) return;
    scope.request_stop();
    test::run_sync(machine.executor, scope.join());
    library.reset();
    machine.executor.run_ready();
    CHECK(machine.executor.timers() == 0);
    CHECK(machine.disk.open_files() == 0);
    CHECK(machine.disk.open_directories() == 0);
  }
  std::shared_ptr<const LocalGame> game(std::string_view id) const {
    for (const auto& each : library->snapshot()->games) {
      if (each->id == id) return each;
    }
    return nullptr;
  }
  GameState state(std::string_view id) const {
    const auto found = game(id);
    REQUIRE(found);
    return found->state;
  }
  Digest version(std::string_view id) const {
    const auto found = game(id);
    REQUIRE(found);
    REQUIRE(found->offered);
    return found->offered->version;
  }
  std::vector<std::string> files(std::string_view id) const {
    const auto found = game(id);
    REQUIRE(found);
    REQUIRE(found->offered);
    std::vector<std::string> all;
    for (const auto& file : found->offered->document->manifest.files) all.push_back(file.path);
    return all;
  }
  Result<void> rescan(std::optional<std::string> id) {
    return test::run_sync(machine.executor, library->rescan(std::move(id), scope.token()));
  }

  Machine& machine;
  runtime::Scope scope{machine.executor, "test", runtime::CancellationToken()};
  std::optional<Library> library;
  int changes = 0;
  int offers = 0;
};

}  // namespace peer::library
