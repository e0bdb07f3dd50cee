#include "libpeer/runtime/uv_executor.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "libpeer/base/check.h"

namespace peer::runtime {

namespace {
// A drain ends at whichever comes first, and I/O is polled, without waiting, before the next.
constexpr unsigned kDrainResumptions = 512;
constexpr Duration kDrainTime = std::chrono::microseconds(500);
constexpr unsigned kLooksAtClock = 8;  // once in so many resumptions

timespec to_timespec(TimePoint at) {
  const auto ns = std::chrono::nanoseconds(at.time_since_epoch()).count();
  constexpr std::int64_t kSecond = 1'000'000'000;
  if (ns <= 0) return {0, 1};  // all zero would disarm
  return {ns / kSecond, ns % kSecond};
}
}  // namespace

// One turn of the loop: prepare sets the timerfd, libuv polls (without waiting while idle_ is active), the callbacks of
// I/O and of the async run, then check fires what is due and drains the ready.
struct UvExecutor::Impl {
  uv_loop_t loop{};
  uv_idle_t idle{};
  uv_prepare_t prepare{};
  uv_check_t check{};
  uv_async_t async{};
  uv_poll_t timer_poll{};
  int timer_fd = -1;
  unsigned handles = 0;  // own handles that are not closed yet
  bool closing = false;
  std::thread::id thread = std::this_thread::get_id();

  Suspended* first = nullptr;
  Suspended* last = nullptr;

  std::map<Timer, Function> timers;
  std::uint64_t sequence = 0;
  TimePoint programmed = TimePoint::max();  // what the timerfd is set to; earlier than needed costs one wake-up

  // Any thread, under the mutex. The async is sent under it too: once it is released, the loop may close and vanish.
  std::mutex mutex;
  std::vector<Function> posted;
  bool closed = false;
  std::vector<Function> running;  // the batch under way; kept for its capacity

  Impl();
  ~Impl();
  template <class Handle>
  static Impl& self(Handle* handle) noexcept {
    return *static_cast<Impl*>(handle->data);
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
  void turn_again() noexcept {
    uv_idle_start(&idle, [](uv_idle_t*) {});
  }
  bool resume_one() noexcept;
  void drain() noexcept;
  void run_posted() noexcept;
  void fire_due() noexcept;
  void program_timer() noexcept;
  void close() noexcept;
};

UvExecutor::Impl::Impl() {
  PEER_CHECK(uv_loop_init(&loop) == 0);
  PEER_CHECK(uv_idle_init(&loop, &idle) == 0);
  PEER_CHECK(uv_prepare_init(&loop, &prepare) == 0);
  PEER_CHECK(uv_check_init(&loop, &check) == 0);
  PEER_CHECK(uv_async_init(&loop, &async, [](uv_async_t* h) noexcept { self(h).run_posted(); }) == 0);
  timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  PEER_CHECK(timer_fd >= 0);
  PEER_CHECK(uv_poll_init(&loop, &timer_poll, timer_fd) == 0);
  own(idle);
  own(prepare);
  own(check);
  own(async);
  own(timer_poll);
  uv_prepare_start(&prepare, [](uv_prepare_t* h) noexcept { self(h).program_timer(); });
  uv_check_start(&check, [](uv_check_t* h) noexcept {
    self(h).fire_due();
    self(h).drain();
  });
  PEER_CHECK(uv_poll_start(&timer_poll, UV_READABLE, [](uv_poll_t* h, int, int) noexcept {
               std::uint64_t expirations = 0;
               if (read(self(h).timer_fd, &expirations, sizeof expirations) > 0) self(h).programmed = TimePoint::max();
             }) == 0);
}

UvExecutor::Impl::~Impl() {
  close();
  while (!timers.empty()) timers.extract(timers.begin());  // what one owns may disarm another
  const int status = uv_loop_close(&loop);
  if (status != 0) uv_print_all_handles(&loop, stderr);
  PEER_CHECK(status == 0);  // whoever opened a handle must await its close callback
}

bool UvExecutor::Impl::resume_one() noexcept {
  Suspended* coroutine = first;
  if (coroutine == nullptr) return false;
  first = coroutine->next;
  if (first == nullptr) last = nullptr;
  coroutine->queued = false;
  coroutine->handle.resume();
  return true;
}

void UvExecutor::Impl::drain() noexcept {
  const TimePoint end = first == nullptr ? TimePoint{} : Clock::now() + kDrainTime;
  for (unsigned count = 1; count <= kDrainResumptions && resume_one(); ++count) {
    if (count % kLooksAtClock == 0 && Clock::now() >= end) break;
  }
  if (first == nullptr) uv_idle_stop(&idle);
}

void UvExecutor::Impl::run_posted() noexcept {
  {
    const std::lock_guard lock(mutex);
    running.swap(posted);
  }
  for (Function& fn : running) {
    detail::call(fn, "posted");
    fn = nullptr;
  }
  running.clear();
}

void UvExecutor::Impl::fire_due() noexcept {
  if (timers.empty()) return;
  const TimePoint now = Clock::now();
  const std::uint64_t newest = sequence;  // what the fired arm waits for the next turn, so that I/O has its own
  while (!timers.empty()) {
    const auto due = timers.begin();
    if (due->first.at > now || due->first.sequence > newest) break;
    auto node = timers.extract(due);
    detail::call(node.mapped(), "timer");
  }
}

void UvExecutor::Impl::program_timer() noexcept {
  if (timers.empty()) return;
  const TimePoint at = timers.begin()->first.at;
  if (at >= programmed) return;
  if (at <= Clock::now()) {
    turn_again();
    return;
  }
  itimerspec spec{};
  spec.it_value = to_timespec(at);
  PEER_CHECK(timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &spec, nullptr) == 0);
  programmed = at;
}

void UvExecutor::Impl::close() noexcept {
  if (closing) return;
  {
    const std::lock_guard lock(mutex);
    closed = true;
  }
  run_posted();  // what was accepted is run
  while (resume_one()) {
  }
  closing = true;
  shut(idle);
  shut(prepare);
  shut(check);
  shut(async);
  shut(timer_poll);
  while (handles > 0) uv_run(&loop, UV_RUN_NOWAIT);
  ::close(timer_fd);
}

UvExecutor::UvExecutor() : impl_(std::make_unique<Impl>()) {}
UvExecutor::~UvExecutor() = default;

uv_loop_t* UvExecutor::loop() noexcept { return &impl_->loop; }

void UvExecutor::wake(Suspended& coroutine) noexcept {
  Impl& impl = *impl_;
  PEER_CHECK(impl.thread == std::this_thread::get_id());
  PEER_CHECK(!impl.closing);
  PEER_CHECK(!coroutine.queued);
  coroutine.queued = true;
  coroutine.next = nullptr;
  if (impl.last == nullptr) {
    impl.first = &coroutine;
    impl.turn_again();
  } else {
    impl.last->next = &coroutine;
  }
  impl.last = &coroutine;
}

bool UvExecutor::post(Function fn) {
  Impl& impl = *impl_;
  const std::lock_guard lock(impl.mutex);
  if (impl.closed) return false;
  impl.posted.push_back(std::move(fn));
  if (impl.posted.size() == 1) uv_async_send(&impl.async);
  return true;
}

Executor::Timer UvExecutor::arm(TimePoint at, Function fn) {
  PEER_CHECK(impl_->thread == std::this_thread::get_id());
  const Timer timer{at, ++impl_->sequence};
  impl_->timers.emplace(timer, std::move(fn));
  return timer;
}

void UvExecutor::disarm(const Timer& timer) noexcept {
  PEER_CHECK(impl_->closing || impl_->thread == std::this_thread::get_id());  // once closed, whoever cleans up may
  const auto node = impl_->timers.extract(timer);  // what it owns ends after the map is whole again
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
