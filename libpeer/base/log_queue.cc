#include "libpeer/base/log_queue.h"

#include <pthread.h>

#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

namespace peer {

namespace {

std::size_t size_of(const LogLine& line) {
  std::size_t size = sizeof line + line.component.size() + line.text.size();
  for (const LogField& field : line.fields) size += sizeof field + field.value.size();
  return size;
}

}  // namespace

struct LogQueue::State {
  explicit State(std::function<void(const LogLine&)> writer) : write(std::move(writer)) {}

  const std::function<void(const LogLine&)> write;
  std::mutex mutex;
  std::condition_variable queued;
  std::condition_variable written;
  std::deque<LogLine> lines;
  std::size_t bytes = 0;
  std::uint64_t dropped = 0;  ///< since the last line in the queue
  bool writing = false;
  bool ended = false;

  bool is_idle() const { return lines.empty() && dropped == 0 && !writing; }
  bool has_room(std::size_t size) const { return lines.size() < kMaxLines && bytes + size <= kMaxBytes; }
  void append(LogLine line) {
    bytes += size_of(line);
    lines.push_back(std::move(line));
  }
  /// Queues the count of the lines that are missing at this place. It may exceed the limits by this one line.
  void append_count() {
    const std::string count = std::to_string(std::exchange(dropped, 0));
    append({LogLevel::warn,
            "log",
            count + (count == "1" ? " line was" : " lines were") +
                " dropped here: the program that reads the log is too slow",
            {},
            std::chrono::system_clock::now()});
  }
  void run();
};

void LogQueue::State::run() {
  std::unique_lock lock(mutex);
  for (;;) {
    queued.wait(lock, [this] { return !lines.empty() || dropped != 0 || ended; });
    if (lines.empty() && dropped != 0) append_count();
    if (lines.empty()) return;
    const LogLine line = std::move(lines.front());
    lines.pop_front();
    bytes -= size_of(line);
    writing = true;
    lock.unlock();
    write(line);
    lock.lock();
    writing = false;
    if (is_idle()) written.notify_all();
  }
}

LogQueue::LogQueue(std::function<void(const LogLine&)> write) : state_(std::make_shared<State>(std::move(write))) {
  // Signals are for the program's other threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread([state = state_] { state->run(); });
  pthread_setname_np(thread.native_handle(), "log");
  thread.detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LogQueue::~LogQueue() {
  const std::lock_guard lock(state_->mutex);
  state_->ended = true;
  state_->queued.notify_all();
}

void LogQueue::push(LogLine line) {
  const std::lock_guard lock(state_->mutex);
  if (!state_->has_room(size_of(line))) {
    ++state_->dropped;
  } else {
    if (state_->dropped != 0) state_->append_count();
    state_->append(std::move(line));
  }
  state_->queued.notify_one();
}

bool LogQueue::flush(std::chrono::milliseconds limit) {
  std::unique_lock lock(state_->mutex);
  return state_->written.wait_for(lock, limit, [this] { return state_->is_idle(); });
}

}  // namespace peer
