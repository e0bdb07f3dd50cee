// A library with an InotifyWatcher on a real disk. The tests wait for conditions, never for a time.
#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "libpeer/library/inotify_watcher.h"
#include "libpeer/library/library.h"
#include "libpeer/runtime/thread_workers.h"
#include "real_files.h"
#include "support/run_task.h"
#include "support/store/temp_directory.h"

namespace peer::library {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

/// A library on a real disk, whose periodic scans come too late to help.
struct Home {
  explicit Home(runtime::UvExecutor& e, InotifyCalls calls = InotifyCalls::system()) : executor(e) {
    const LogSink sink = [this](LogLevel level, std::string_view, const std::string& line, const LogFields&) {
      const std::lock_guard lock(mutex);
      if (level >= LogLevel::warn) warnings.push_back(line);
    };
    watcher = inotify_watcher(executor, Log(sink, "library"), std::move(calls));
    options.roots = {directory / "games"};
    options.settle = 50ms;
    options.scan_interval = 24h;
    options.unwatched_interval = 24h;
    options.watcher = watcher.get();
    options.wall_clock = [] {
      return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
    };
    fs::create_directories(games());
  }
  fs::path games() const { return options.roots.front(); }
  const LocalGame* ready(const std::string& id) const {
    const LocalGame* game = library->snapshot()->find(id);
    return game != nullptr && game->state == GameState::ready ? game : nullptr;
  }
  runtime::Task<void> until_files(std::string id, std::size_t count) {
    const auto there = [this, &id, count] { return files(id) == count; };
    co_await until(executor, there);
  }
  std::size_t files(const std::string& id) const {
    const LocalGame* game = ready(id);
    return game != nullptr ? game->files : 0;
  }

  runtime::UvExecutor& executor;
  test::TempDirectory directory;
  std::unique_ptr<store::Disk> disk = store::posix_disk();
  std::unique_ptr<store::Store> store = *store::open_sqlite_store(":memory:", Log());
  runtime::ThreadWorkers workers{"test-work", 4};
  runtime::ThreadWorkers store_thread{"test-store", 1};
  std::mutex mutex;
  std::vector<std::string> warnings;
  std::unique_ptr<Watcher> watcher;
  LibraryOptions options;
  Library* library = nullptr;
};

runtime::Task<void> live(Home* home, std::function<runtime::Task<void>(Home&)> script) {
  runtime::Scope scope(home->executor, "test", runtime::CancellationToken());
  Library library(scope, *home->disk, home->workers, *home->store, home->store_thread, home->options, Log());
  home->library = &library;
  scope.spawn("LocalMonitor", library.run(scope.token()));
  co_await script(*home);
  scope.request_stop();
  co_await scope.join();
}

runtime::Task<void> add_change_remove(Home& home) {
  const fs::path games = home.games();
  co_await home.until_files("g", 1);
  const Digest first = home.ready("g")->offered->version;
  const std::uint64_t revision = home.library->snapshot()->revision;
  write(games / "g/deep/er/f", "a new directory's file");
  co_await home.until_files("g", 2);
  write(games / "g/deep/er/f2", "a file in a directory that was new");
  co_await home.until_files("g", 3);
  fs::remove_all(games / "g/deep");
  co_await home.until_files("g", 1);
  CHECK(home.ready("g")->offered->version == first);
  write(games / "h/f", "a new game");
  co_await home.until_files("h", 1);
  CHECK(home.library->snapshot()->revision >= revision + 4);
  fs::create_directory_symlink(home.directory / "elsewhere", games / "linked");
  co_await home.until_files("linked", 1);
  write(home.directory / "elsewhere/more", "below the symlink");
  co_await home.until_files("linked", 2);
  fs::rename(games / "h", games / "renamed");
  const auto renamed = [&] { return home.files("renamed") == 1 && home.library->snapshot()->find("h") == nullptr; };
  co_await until(home.executor, renamed);
  fs::remove_all(games / "renamed");
  fs::remove(games / "linked");
  const auto one_left = [&] { return home.library->snapshot()->games.size() == 1; };
  co_await until(home.executor, one_left);
}

runtime::Task<void> work_home(runtime::UvExecutor& executor) {
  Home home(executor);
  write(home.games() / "g/f", "one");
  write(home.directory / "elsewhere/f", "one");
  co_await live(&home, add_change_remove);
  CHECK(home.warnings.empty());
}

runtime::Task<void> without_watches(Home& home) {
  co_await home.until_files("g", 1);
  co_await home.until_files("h", 1);
  write(home.games() / "g/f2", "found by scans alone");
  write(home.games() / "new/f", "found by scans alone");
  co_await home.until_files("g", 2);
  co_await home.until_files("new", 1);
}

runtime::Task<void> refuse(runtime::UvExecutor& executor, int error, bool already_open) {
  InotifyCalls calls = InotifyCalls::system();
  if (already_open) {
    calls.add = [error](int, const char*, std::uint32_t) {
      errno = error;
      return -1;
    };
  } else {
    calls.open = [error] {
      errno = error;
      return -1;
    };
  }
  Home home(executor, std::move(calls));
  home.options.unwatched_interval = 20ms;
  write(home.games() / "g/f", "one");
  write(home.games() / "h/f", "one");
  co_await live(&home, without_watches);
  REQUIRE(home.warnings.size() == 1);
  CHECK(home.warnings[0].find(error == ENOSPC ? "max_user_watches" : "max_user_instances") != std::string::npos);
}

runtime::Task<void> deep_down(Home& home) {
  co_await home.until_files("g", 1);
  write(home.games() / "g/1/2/3/4/5/more", "not watched");
  co_await home.until_files("g", 2);
}

runtime::Task<void> run_out(runtime::UvExecutor& executor) {
  Home home(executor);
  home.options.unwatched_interval = 20ms;
  write(home.games() / "g/1/2/3/4/5/f", "one");
  co_await live(&home, deep_down);
  REQUIRE(home.warnings.size() == 1);
  CHECK(home.warnings[0].find("max_user_watches") != std::string::npos);
}

}  // namespace

TEST_CASE("inotify: a library notices games that are added, changed, renamed and removed") {
  test::run_on_uv(work_home);
}

TEST_CASE("inotify: without watches the library logs one warning and scans") {
  test::run_on_uv([](runtime::UvExecutor& executor) { return refuse(executor, ENOSPC, true); });
  test::run_on_uv([](runtime::UvExecutor& executor) { return refuse(executor, EMFILE, false); });
}

TEST_CASE("helper of the next test: too few watches", "[.][inotify-limit]") { test::run_on_uv(run_out); }

TEST_CASE("inotify: a library works with too few real watches") {
  // The limit applies to a user namespace, so other programs on this machine are not affected.
  const std::string in_namespace = "unshare --user --map-root-user sh -c ";
  if (std::system((in_namespace + "'echo 4 > /proc/sys/user/max_inotify_watches' 2> /dev/null").c_str()) != 0) {
    SKIP("cannot create a user namespace");
  }
  const std::string self = fs::read_symlink("/proc/self/exe");
  const std::string command = in_namespace + "'echo 4 > /proc/sys/user/max_inotify_watches && exec \"" + self +
                              "\" \"[inotify-limit]\" > /dev/null'";
  CHECK(std::system(command.c_str()) == 0);
}

}  // namespace peer::library
