#include "libpeer/runtime/sleep.h"

namespace peer::runtime {

namespace {

// Either the timer or the cancellation wakes the waiter, once.
struct Sleep {
  Executor& executor;
  TimePoint at;
  Suspended* waiter = nullptr;
  Executor::Timer timer{};
  bool cancelled = false;

  bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> self) {
    timer = executor.arm(at, [this] { finish(); });
    waiter = &self.promise();
  }
  void await_resume() const {
    if (cancelled) throw Cancelled{};
  }
  void cancel() noexcept {
    if (waiter == nullptr) return;
    executor.disarm(timer);
    cancelled = true;
    finish();
  }
  void finish() noexcept { std::exchange(waiter, nullptr)->wake(); }
};

}  // namespace

TimePoint time_after(const Executor& executor, Duration delay) {
  const TimePoint now = executor.now();
  return delay > TimePoint::max() - now ? TimePoint::max() : now + delay;
}

Task<void> sleep_for(Executor& executor, Duration delay, CancellationToken token) {
  token.throw_if_requested();
  Sleep sleep{executor, time_after(executor, delay)};
  CancelHook hook(token, [&sleep] { sleep.cancel(); });
  co_await sleep;
}

Deadline::Deadline(Executor& executor, Duration limit, const CancellationToken& parent)
    : executor_(executor), source_(parent), timer_(executor.arm(time_after(executor, limit), [this] {
        expired_ = true;
        source_.request();
      })) {}

Deadline::~Deadline() { executor_.disarm(timer_); }

}  // namespace peer::runtime
