// InotifyWatcher on real directories. The tests wait for conditions, never for a time.
#include "libpeer/library/inotify_watcher.h"

#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>

#include "libpeer/runtime/scope.h"
#include "real_files.h"
#include "support/run_task.h"
#include "support/store/temp_directory.h"

namespace peer::library {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

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

}  // namespace

TEST_CASE("inotify: every kind of change is reported, for its subject only") { on_uv(all_kinds); }

TEST_CASE("inotify: directories that move between games, or belong to two games, are reported for the right games") {
  on_uv(moved_and_shared);
}

TEST_CASE("inotify: a queue overflow counts as a change of every subject") { on_uv(overflow); }

}  // namespace peer::library
