// InotifyWatcher on real directories, alone and with a library. The tests wait for conditions, never for a time.
#include "libpeer/library/inotify_watcher.h"

#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>

#include "libpeer/library/library.h"
#include "libpeer/library/watch_table.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/runtime/thread_workers.h"
#include "support/run_task.h"
#include "support/store/temp_directory.h"

namespace peer::library {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

void write(const fs::path& path, const std::string& content) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << content;
}

/// Waits until `holds` returns true. The test fails if that takes too long.
runtime::Task<void> until(runtime::Executor& executor, std::function<bool()> holds) {
  for (int i = 0; i < 6000 && !holds(); ++i) co_await runtime::sleep_for(executor, 5ms, runtime::CancellationToken());
  CHECK(holds());
}

/// Records what a watcher reports. The kernel's queue is ordered: when a mark has been reported, everything before it
/// has been reported too.
struct Reports {
  Reports(runtime::UvExecutor& e, std::string m) : executor(e), marks(std::move(m)) {}
  runtime::UvExecutor& executor;
  const std::string marks;  // a directory that is watched as a separate subject
  int mark = 0;
  std::set<WatchSubject> subjects;
  template <class... S>
  runtime::Task<void> expect(S... expected) {
    return expect_all(std::set<WatchSubject>{expected...});
  }
  runtime::Task<void> expect_all(std::set<WatchSubject> expected) {
    const WatchSubject seen{marks, "marks"};
    fs::create_directory(marks + "/" + std::to_string(++mark));  // one event
    const auto marked = [this, &seen] { return subjects.contains(seen); };
    co_await until(executor, marked);
    subjects.erase(seen);
    CHECK(subjects == expected);
    subjects.clear();
  }
};

using Script = std::function<runtime::Task<void>(Watcher&, Reports&, std::string)>;

runtime::Task<void> play(runtime::UvExecutor& executor, Script script) {
  const test::TempDirectory directory;
  const auto watcher = inotify_watcher(executor, Log());
  const test::TempDirectory marks;
  Reports reports(executor, marks.path());
  CHECK(watcher->walk({marks.path(), "marks"})->enter(marks.path()));
  runtime::Scope scope(executor, "test", runtime::CancellationToken());
  scope.spawn("watch", watcher->run([&reports](const WatchSubject& s) { reports.subjects.insert(s); }, scope.token()));
  co_await script(*watcher, reports, directory.path());
  scope.request_stop();
  co_await scope.join();
}

void on_uv(Script script) {
  test::run_on_uv([&](runtime::UvExecutor& executor) { return play(executor, script); });
}

void enter(Watcher& watcher, const WatchSubject& subject, const std::vector<std::string>& paths) {
  const auto walk = watcher.walk(subject);
  for (const std::string& path : paths) CHECK(walk->enter(path));
  walk->complete();
}

runtime::Task<void> all_kinds(Watcher& watcher, Reports& reports, std::string root) {
  const WatchSubject g{root, "g"};
  const WatchSubject h{root, "h"};
  const WatchSubject link{root, "link"};
  const WatchSubject r{root, ""};
  write(root + "/g/d/f", "one");
  enter(watcher, r, {root});
  enter(watcher, g, {root + "/g", root + "/g/d"});
  write(root + "/g/d/new", "x");
  co_await reports.expect(g);
  write(root + "/g/d/f", "two");
  co_await reports.expect(g);
  fs::permissions(root + "/g/d/f", fs::perms::owner_all);
  co_await reports.expect(g);
  fs::remove(root + "/g/d/f");
  co_await reports.expect(g);
  fs::rename(root + "/g/d", root + "/g/e");
  co_await reports.expect(g);
  write(root + "/g/e/still", "the same directory");
  co_await reports.expect(g);
  fs::create_directory(root + "/h");
  co_await reports.expect(r, h);
  fs::create_directory(root + "/.hidden");
  write(root + "/.hidden/f", "x");
  fs::rename(root + "/h", root + "/.hidden/h");
  co_await reports.expect(r, h);
  fs::create_directory_symlink(root + "/g", root + "/link");
  co_await reports.expect(r, link);
  fs::remove_all(root + "/g");
  co_await reports.expect(g, r);
}

runtime::Task<void> moved_and_shared(Watcher& watcher, Reports& reports, std::string root) {
  const WatchSubject a{root, "a"};
  const WatchSubject b{root, "b"};
  const WatchSubject c{root, "c"};
  fs::create_directories(root + "/a/d");
  fs::create_directories(root + "/b");
  fs::create_directory_symlink(root + "/a", root + "/c");
  enter(watcher, a, {root + "/a", root + "/a/d"});
  enter(watcher, {root, "c"}, {root + "/c"});
  enter(watcher, b, {root + "/b"});
  write(root + "/a/f", "x");
  co_await reports.expect(a, c);
  fs::rename(root + "/a/d", root + "/b/d");
  co_await reports.expect(a, b, c);
  // The scan of the new game comes first; the scan of the old game must not remove the watch.
  enter(watcher, b, {root + "/b", root + "/b/d"});
  enter(watcher, a, {root + "/a"});
  write(root + "/b/d/f", "x");
  co_await reports.expect(b);
  watcher.forget(a);
  write(root + "/a/g", "x");
  co_await reports.expect(c);
  watcher.forget({root, "c"});
  write(root + "/a/h", "x");
  write(root + "/b/h", "x");
  co_await reports.expect(b);
  const auto walk = watcher.walk(b);
  watcher.forget(b);
  CHECK_FALSE(walk->enter(root + "/b"));
  CHECK(watcher.walk(b)->enter(root + "/no-such-directory"));
}

/// A queue overflow counts as a change of every subject.
runtime::Task<void> overflow(Watcher& watcher, Reports& reports, std::string root) {
  const WatchSubject a{root, "a"};
  const WatchSubject b{root, "b"};
  write(root + "/a/f0", "");
  write(root + "/a/f1", "");
  fs::create_directory(root + "/b");
  enter(watcher, a, {root + "/a"});
  enter(watcher, b, {root + "/b"});
  int limit = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> limit;
  REQUIRE(limit > 0);
  // The loop does not run meanwhile. The files alternate, because the kernel merges equal consecutive events.
  for (int i = 0; i <= limit; ++i) fs::permissions(root + "/a/f" + std::to_string(i % 2), fs::perms::owner_all);
  const auto b_reported = [&] { return reports.subjects.contains(b); };
  co_await until(reports.executor, b_reported);
  CHECK(reports.subjects.contains(a));
  reports.subjects.clear();
  co_await reports.expect();
}

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

TEST_CASE("inotify: every kind of change is reported, for its subject only") { on_uv(all_kinds); }

TEST_CASE("inotify: directories that move between games, or belong to two games, are reported for the right games") {
  on_uv(moved_and_shared);
}

TEST_CASE("inotify: a queue overflow counts as a change of every subject") { on_uv(overflow); }

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

TEST_CASE("watch table: a watch that is removed while it is entered is added again") {
  int next = 1;
  std::set<int> removed;
  WatchTable* self = nullptr;
  WatchTable table(
      [&](const std::string& path) {
        if (path == "/gone") return -ENOENT;
        if (next == 1) self->on_watch_removed(1);  // the event arrives before add returns
        return next++;
      },
      [&](int watch) { removed.insert(watch); });
  self = &table;
  const auto holder = table.begin_walk({"/r", "g"});
  CHECK(table.enter(*holder, "/r/g") == 0);
  CHECK(table.subjects_of(1).empty());
  CHECK(table.subjects_of(2) == std::vector<WatchSubject>{{"/r", "g"}});
  CHECK(table.enter(*holder, "/gone") == ENOENT);
  CHECK(table.enter(*holder, "/r/g/d") == 0);
  CHECK(table.size() == 2);
  CHECK(table.all_subjects() == std::vector<WatchSubject>{{"/r", "g"}});
  const auto again = table.begin_walk({"/r", "g"});
  table.complete(*again);
  CHECK(removed == std::set<int>{2, 3});
  CHECK(table.size() == 0);
}

}  // namespace peer::library
