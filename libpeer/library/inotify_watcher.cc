#include "libpeer/library/inotify_watcher.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "libpeer/base/check.h"
#include "libpeer/library/watch_table.h"
#include "libpeer/runtime/defer.h"
#include "libpeer/runtime/event.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/runtime/uv_poll.h"

namespace peer::library {

namespace {

constexpr std::uint32_t kEntryChanges = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;
/// One mask for all directories, because a directory can be both a root and part of a game, and has only one watch.
constexpr std::uint32_t kMask = kEntryChanges | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF |
                                IN_ONLYDIR | IN_EXCL_UNLINK;
constexpr runtime::Duration kReadInterval = std::chrono::milliseconds(20);
constexpr std::size_t kBufferBytes = 64 << 10;
constexpr int kReadsPerTurn = 8;

class InotifyWalk final : public WatchWalk {
 public:
  using Failed = std::function<void(int error)>;
  InotifyWalk(WatchTable& table, std::shared_ptr<WatchTable::SubjectWatches> watches, Failed failed)
      : table_(table), watches_(std::move(watches)), failed_(std::move(failed)) {}

  bool enter(const std::string& path) override {
    const int error = table_.enter(*watches_, path);
    // A deleted directory needs no watch: the watch of its parent reports the deletion.
    if (error == 0 || error == ENOENT || error == ENOTDIR) return true;
    if (error != ECANCELED && error != EACCES) failed_(error);  // the scan reports unreadable directories
    return false;
  }
  void complete() override { table_.complete(*watches_); }

 private:
  WatchTable& table_;
  const std::shared_ptr<WatchTable::SubjectWatches> watches_;
  const Failed failed_;
};

/// Used when there is no inotify descriptor.
class UnwatchedWalk final : public WatchWalk {
 public:
  bool enter(const std::string&) override { return false; }
  void complete() override {}
};

class InotifyWatcher final : public Watcher {
 public:
  InotifyWatcher(runtime::UvExecutor& executor, Log log, InotifyCalls calls)
      : executor_(executor), log_(std::move(log)), calls_(std::move(calls)), fd_(calls_.open()) {
    if (fd_ < 0) warn_once(errno, "cannot watch the library's directories");
  }
  ~InotifyWatcher() override {
    PEER_CHECK(!running_);
    if (fd_ >= 0) ::close(fd_);
  }

  std::unique_ptr<WatchWalk> walk(const WatchSubject& subject) override {
    if (fd_ < 0) return std::make_unique<UnwatchedWalk>();
    const auto failed = [this](int error) { warn_once(error, "cannot watch all of the library's directories"); };
    return std::make_unique<InotifyWalk>(table_, table_.begin_walk(subject), failed);
  }
  void forget(const WatchSubject& subject) override { table_.forget(subject); }
  runtime::Task<void> run(std::function<void(const WatchSubject&)> changed, runtime::CancellationToken token) override;

 private:
  /// Reads queued events. Returns false if there may be more.
  bool read_events(std::set<WatchSubject>& changed);
  void on_event(const inotify_event& event, std::string_view name, std::set<WatchSubject>& changed);
  void warn_once(int error, const char* what);

  runtime::UvExecutor& executor_;
  const Log log_;
  const InotifyCalls calls_;
  const int fd_;
  std::atomic<bool> warned_ = false;
  bool running_ = false;
  std::vector<char> buffer_ = std::vector<char>(kBufferBytes);
  WatchTable table_{[this](const std::string& path) {
                      const int watch = calls_.add(fd_, path.c_str(), kMask);
                      return watch >= 0 ? watch : -errno;
                    },
                    [this](int watch) { static_cast<void>(::inotify_rm_watch(fd_, watch)); }};
};

void InotifyWatcher::warn_once(int error, const char* what) {
  if (warned_.exchange(true)) return;
  std::string line = std::string(what) + ": ";
  if (error == ENOSPC) {
    line += "out of inotify watches (raise fs.inotify.max_user_watches above the number of directories)";
  } else if (error == EMFILE) {
    line += "too many inotify instances (raise fs.inotify.max_user_instances)";
  } else {
    line += std::generic_category().message(error);
  }
  log_.warn(line + "; unwatched directories are scanned once a minute instead");
}

runtime::Task<void> InotifyWatcher::run(std::function<void(const WatchSubject&)> changed,
                                        runtime::CancellationToken token) {
  if (fd_ < 0) {
    runtime::Event never;
    co_await never.wait(token);
  }
  PEER_CHECK(!running_);
  running_ = true;
  const runtime::Defer end([this] { running_ = false; });
  runtime::UvPoll poll(executor_, fd_);
  for (;;) {
    co_await poll.readable(token);
    std::set<WatchSubject> subjects;
    const bool all_read = read_events(subjects);
    for (const WatchSubject& subject : subjects) changed(subject);
    const runtime::Duration pause = all_read ? kReadInterval : runtime::Duration::zero();
    co_await runtime::sleep_for(executor_, pause, token);
  }
}

bool InotifyWatcher::read_events(std::set<WatchSubject>& changed) {
  for (int reads = 0; reads < kReadsPerTurn; ++reads) {
    const ssize_t count = ::read(fd_, buffer_.data(), buffer_.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return true;
    for (ssize_t at = 0; at < count;) {
      inotify_event event;
      std::memcpy(&event, buffer_.data() + at, sizeof event);
      const char* name = buffer_.data() + at + sizeof event;
      at += static_cast<ssize_t>(sizeof event + event.len);
      on_event(event, event.len > 0 ? std::string_view(name) : std::string_view(), changed);
    }
  }
  return false;
}

void InotifyWatcher::on_event(const inotify_event& event, std::string_view name, std::set<WatchSubject>& changed) {
  if ((event.mask & IN_Q_OVERFLOW) != 0) {
    log_.debug("inotify queue overflow: scanning every game");
    for (WatchSubject& subject : table_.all_subjects()) changed.insert(std::move(subject));
    return;
  }
  for (WatchSubject& subject : table_.subjects_of(event.wd)) {
    if (!subject.game.empty() || name.empty()) {
      changed.insert(std::move(subject));
    } else if (!name.starts_with('.') && (event.mask & (kEntryChanges | IN_ATTRIB)) != 0) {
      changed.insert(WatchSubject{subject.root, std::string(name)});
      if ((event.mask & kEntryChanges) != 0) changed.insert(std::move(subject));
    }
  }
  if ((event.mask & IN_IGNORED) != 0) table_.on_watch_removed(event.wd);
}

}  // namespace

InotifyCalls InotifyCalls::system() {
  return {[] { return ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC); },
          [](int fd, const char* path, std::uint32_t mask) { return ::inotify_add_watch(fd, path, mask); }};
}

std::unique_ptr<Watcher> inotify_watcher(runtime::UvExecutor& executor, Log log, InotifyCalls calls) {
  return std::make_unique<InotifyWatcher>(executor, std::move(log), std::move(calls));
}

}  // namespace peer::library
