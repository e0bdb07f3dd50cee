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

constexpr std::uint32_t kMembers = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;
/// The same for every directory: one may be a root and lie in a game, and the kernel keeps one mask for it.
constexpr std::uint32_t kMask =
    kMembers | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK;
constexpr runtime::Duration kPause = std::chrono::milliseconds(20);
constexpr std::size_t kBuffer = 64 << 10;
constexpr int kReadsPerTurn = 8;

class Walk final : public WatchWalk {
 public:
  using Failed = std::function<void(int error)>;
  Walk(WatchTable& table, std::shared_ptr<WatchTable::Holder> holder, Failed failed)
      : table_(table), holder_(std::move(holder)), failed_(std::move(failed)) {}

  bool enter(const std::string& path) override {
    const int error = table_.enter(*holder_, path);
    // A directory that went away needs no watch: what holds it tells of that.
    if (error == 0 || error == ENOENT || error == ENOTDIR) return true;
    if (error != ECANCELED && error != EACCES) failed_(error);  // what may not be read, the look reports
    return false;
  }
  void complete() override { table_.complete(*holder_); }

 private:
  WatchTable& table_;
  const std::shared_ptr<WatchTable::Holder> holder_;
  const Failed failed_;
};

/// Where nothing can be watched.
class BlindWalk final : public WatchWalk {
 public:
  bool enter(const std::string&) override { return false; }
  void complete() override {}
};

class InotifyWatcher final : public Watcher {
 public:
  InotifyWatcher(runtime::UvExecutor& executor, Log log, InotifyCalls calls)
      : executor_(executor), log_(std::move(log)), calls_(std::move(calls)), fd_(calls_.open()) {
    if (fd_ < 0) complain(errno, "cannot be watched");
  }
  ~InotifyWatcher() override {
    PEER_CHECK(!running_);
    if (fd_ >= 0) ::close(fd_);
  }

  std::unique_ptr<WatchWalk> walk(const Subject& subject) override {
    if (fd_ < 0) return std::make_unique<BlindWalk>();
    const auto failed = [this](int error) { complain(error, "cannot all be watched"); };
    return std::make_unique<Walk>(table_, table_.begin(subject), failed);
  }
  void forget(const Subject& subject) override { table_.forget(subject); }
  runtime::Task<void> run(std::function<void(const Subject&)> changed, runtime::CancellationToken token) override;

 private:
  bool drain(std::set<Subject>& changed);
  void take(const inotify_event& event, std::string_view name, std::set<Subject>& changed);
  void complain(int error, const char* what);

  runtime::UvExecutor& executor_;
  const Log log_;
  const InotifyCalls calls_;
  const int fd_;
  std::atomic<bool> complained_ = false;
  bool running_ = false;
  std::vector<char> buffer_ = std::vector<char>(kBuffer);
  WatchTable table_{[this](const std::string& path) {
                      const int watch = calls_.add(fd_, path.c_str(), kMask);
                      return watch >= 0 ? watch : -errno;
                    },
                    [this](int watch) { static_cast<void>(::inotify_rm_watch(fd_, watch)); }};
};

void InotifyWatcher::complain(int error, const char* what) {
  if (complained_.exchange(true)) return;
  std::string line = std::string("the library's directories ") + what + " for changes: ";
  if (error == ENOSPC) {
    line += "this user's inotify watches have run out (raise fs.inotify.max_user_watches above their number)";
  } else if (error == EMFILE) {
    line += "too many programs watch already (raise fs.inotify.max_user_instances)";
  } else {
    line += std::generic_category().message(error);
  }
  log_.warn(line + "; what is not watched is looked at once a minute instead");
}

runtime::Task<void> InotifyWatcher::run(std::function<void(const Subject&)> changed, runtime::CancellationToken token) {
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
    std::set<Subject> subjects;
    const bool all = drain(subjects);
    for (const Subject& subject : subjects) changed(subject);
    const runtime::Duration pause = all ? kPause : runtime::Duration::zero();
    co_await runtime::sleep_for(executor_, pause, token);
  }
}

/// False if there may be more.
bool InotifyWatcher::drain(std::set<Subject>& changed) {
  for (int reads = 0; reads < kReadsPerTurn; ++reads) {
    const ssize_t count = ::read(fd_, buffer_.data(), buffer_.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return true;
    for (ssize_t at = 0; at < count;) {
      inotify_event event;
      std::memcpy(&event, buffer_.data() + at, sizeof event);
      const char* name = buffer_.data() + at + sizeof event;
      at += static_cast<ssize_t>(sizeof event + event.len);
      take(event, event.len > 0 ? std::string_view(name) : std::string_view(), changed);
    }
  }
  return false;
}

void InotifyWatcher::take(const inotify_event& event, std::string_view name, std::set<Subject>& changed) {
  if ((event.mask & IN_Q_OVERFLOW) != 0) {
    log_.debug("more has changed than the kernel could note: everything is looked at");
    for (Subject& subject : table_.all()) changed.insert(std::move(subject));
    return;
  }
  for (Subject& subject : table_.holders_of(event.wd)) {
    if (!subject.game.empty() || name.empty()) {
      changed.insert(std::move(subject));
    } else if (!name.starts_with('.') && (event.mask & (kMembers | IN_ATTRIB)) != 0) {
      changed.insert(Subject{subject.root, std::string(name)});
      if ((event.mask & kMembers) != 0) changed.insert(std::move(subject));
    }
  }
  if ((event.mask & IN_IGNORED) != 0) table_.ended(event.wd);
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
