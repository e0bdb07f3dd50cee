#include "libpeer/runtime/uv_executor.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <cstdio>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "libpeer/base/check.h"
#include "libpeer/runtime/ready_queue.h"
#include "libpeer/runtime/timer_queue.h"

namespace peer::runtime {

namespace {

// A batch of resumptions ends at the first of these limits. The loop then polls for I/O, without waiting, before the
// next batch.
constexpr unsigned kBatchResumptions = 512;
constexpr Duration kBatchTime = std::chrono::microseconds(500);
constexpr unsigned kClockInterval = 8;  // resumptions between two readings of the clock

timespec to_timespec(TimePoint at) {
  const auto ns = std::chrono::nanoseconds(at.time_since_epoch()).count();
  constexpr std::int64_t kSecond = 1'000'000'000;
  if (ns <= 0) return {0, 1};  // all zero would disarm the timerfd
  return {ns / kSecond, ns % kSecond};
}

/// The functions that other threads have posted.
class PostedFunctions {
 public:
  /// False once closed. Loop: any thread.
  bool push(Executor::Function fn, uv_async_t& async) {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    waiting_.push_back(std::move(fn));
    // Sent under the mutex: once it is released, the loop may close and free the handle.
    if (waiting_.size() == 1) uv_async_send(&async);
    return true;
  }
  void close() noexcept {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  void run() noexcept {
    {
      const std::lock_guard lock(mutex_);
      running_.swap(waiting_);
    }
    for (Executor::Function& fn : running_) {
      detail::call(fn, "posted");
      fn = nullptr;
    }
    running_.clear();
  }

 private:
  std::mutex mutex_;  // guards waiting_ and closed_
  std::vector<Executor::Function> waiting_;
  bool closed_ = false;
  std::vector<Executor::Function> running_;  // a member, to reuse its capacity
};

/// The timerfd that ends the poll when a timer is due.
struct WakeTimer {
  uv_poll_t poll{};
  int fd = -1;
  TimePoint programmed = TimePoint::max();  // may be earlier than needed, which costs one wake-up

  void open(uv_loop_t& loop) {
    fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    PEER_CHECK(fd >= 0);
    PEER_CHECK(uv_poll_init(&loop, &poll, fd) == 0);
  }
  void on_expired() noexcept {
    std::uint64_t expirations = 0;
    if (read(fd, &expirations, sizeof expirations) > 0) programmed = TimePoint::max();
  }
  void program(TimePoint at) noexcept {
    itimerspec spec{};
    spec.it_value = to_timespec(at);
    PEER_CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, nullptr) == 0);
    programmed = at;
  }
};

}  // namespace

// A turn of the loop: the prepare handle sets the timerfd; libuv polls, without waiting while `idle` is active; the
// callbacks of I/O and of posted functions run; the check handle fires due timers and resumes ready coroutines.
struct UvExecutor::UvLoop {
  uv_loop_t loop{};
  uv_idle_t idle{};
  uv_prepare_t prepare{};
  uv_check_t check{};
  uv_async_t async{};
  WakeTimer wake_timer;
  unsigned handles = 0;  // number of the five handles above that are not closed yet
  bool closing = false;
  std::thread::id thread = std::this_thread::get_id();
  ReadyQueue ready;
  TimerQueue timers;
  PostedFunctions posted;

  UvLoop();
  ~UvLoop();
  template <class Handle>
  static UvLoop& self(Handle* handle) noexcept {
    return *static_cast<UvLoop*>(handle->data);
  }
  template <class Handle>
  void own(Handle& handle) noexcept {
    handle.data = this;
    ++handles;
  }
  template <class Handle>
  void shut(Handle& handle) noexcept {
    uv_close(reinterpret_cast<uv_handle_t*>(&handle), [](uv_handle_t* h) { --self(h).handles; });
  }
  /// Keeps the next poll from waiting.
  void turn_again() noexcept {
    uv_idle_start(&idle, [](uv_idle_t*) {});
  }
  bool resume_one() noexcept;
  void resume_batch() noexcept;
  void fire_due() noexcept;
  void program_timer() noexcept;
  void close() noexcept;
};

UvExecutor::UvLoop::UvLoop() {
  PEER_CHECK(uv_loop_init(&loop) == 0);
  PEER_CHECK(uv_idle_init(&loop, &idle) == 0);
  PEER_CHECK(uv_prepare_init(&loop, &prepare) == 0);
  PEER_CHECK(uv_check_init(&loop, &check) == 0);
  PEER_CHECK(uv_async_init(&loop, &async, [](uv_async_t* h) noexcept { self(h).posted.run(); }) == 0);
  wake_timer.open(loop);
  own(idle);
  own(prepare);
  own(check);
  own(async);
  own(wake_timer.poll);
  uv_prepare_start(&prepare, [](uv_prepare_t* h) noexcept { self(h).program_timer(); });
  uv_check_start(&check, [](uv_check_t* h) noexcept {
    self(h).fire_due();
    self(h).resume_batch();
  });
  const auto on_expired = [](uv_poll_t* h, int, int) noexcept { self(h).wake_timer.on_expired(); };
  PEER_CHECK(uv_poll_start(&wake_timer.poll, UV_READABLE, on_expired) == 0);
}

UvExecutor::UvLoop::~UvLoop() {
  close();
  while (timers.pop()) {  // destroying a timer's function may disarm others
  }
  const int status = uv_loop_close(&loop);
  if (status != 0) uv_print_all_handles(&loop, stderr);
  PEER_CHECK(status == 0);  // every other handle was closed before
}

bool UvExecutor::UvLoop::resume_one() noexcept {
  Suspended* const coroutine = ready.pop();
  if (coroutine == nullptr) return false;
  coroutine->handle.resume();
  return true;
}

void UvExecutor::UvLoop::resume_batch() noexcept {
  const TimePoint end = ready.empty() ? TimePoint{} : Clock::now() + kBatchTime;
  for (unsigned count = 1; count <= kBatchResumptions && resume_one(); ++count) {
    if (count % kClockInterval == 0 && Clock::now() >= end) break;
  }
  if (ready.empty()) uv_idle_stop(&idle);
}

void UvExecutor::UvLoop::fire_due() noexcept {
  if (timers.first() == nullptr) return;
  const TimePoint now = Clock::now();
  const std::uint64_t latest = timers.latest();  // timers that are armed from here on wait for the next turn
  for (const Timer* due = timers.first(); due != nullptr; due = timers.first()) {
    if (due->at > now || due->sequence > latest) break;
    auto timer = timers.pop();
    detail::call(timer->second, "timer");
  }
}

void UvExecutor::UvLoop::program_timer() noexcept {
  const Timer* const next = timers.first();
  if (next == nullptr || next->at >= wake_timer.programmed) return;
  if (next->at <= Clock::now()) {
    turn_again();
  } else {
    wake_timer.program(next->at);
  }
}

void UvExecutor::UvLoop::close() noexcept {
  if (closing) return;
  posted.close();
  posted.run();  // a function that post() accepted always runs
  while (resume_one()) {
  }
  closing = true;
  shut(idle);
  shut(prepare);
  shut(check);
  shut(async);
  shut(wake_timer.poll);
  while (handles > 0) uv_run(&loop, UV_RUN_NOWAIT);
  ::close(wake_timer.fd);
}

UvExecutor::UvExecutor() : impl_(std::make_unique<UvLoop>()) {}
UvExecutor::~UvExecutor() = default;

uv_loop_t* UvExecutor::loop() noexcept { return &impl_->loop; }

void UvExecutor::wake(Suspended& coroutine) noexcept {
  PEER_CHECK(impl_->thread == std::this_thread::get_id());
  PEER_CHECK(!impl_->closing);
  if (impl_->ready.empty()) impl_->turn_again();
  impl_->ready.push(coroutine);
}

bool UvExecutor::post(Function fn) { return impl_->posted.push(std::move(fn), impl_->async); }

Executor::Timer UvExecutor::arm(TimePoint at, Function fn) {
  PEER_CHECK(impl_->thread == std::this_thread::get_id());
  return impl_->timers.arm(at, std::move(fn));
}

void UvExecutor::disarm(const Timer& timer) noexcept {
  PEER_CHECK(impl_->closing ||
             impl_->thread == std::this_thread::get_id());  // a closed loop may be cleaned up anywhere
  impl_->timers.disarm(timer);
}

namespace {
detail::Root drive(Task<void> main, uv_loop_t* loop, std::exception_ptr* error, bool* finished) {
  try {
    co_await main;
  } catch (...) {
    *error = std::current_exception();
  }
  *finished = true;
  uv_stop(loop);
}
}  // namespace

void UvExecutor::run(Task<void> main) {
  PEER_CHECK(!impl_->closing);
  impl_->thread = std::this_thread::get_id();
  std::exception_ptr error;
  bool finished = false;
  drive(std::move(main), loop(), &error, &finished).start(*this);
  while (!finished) uv_run(loop(), UV_RUN_DEFAULT);
  impl_->close();
  if (error) std::rethrow_exception(error);
}

}  // namespace peer::runtime
