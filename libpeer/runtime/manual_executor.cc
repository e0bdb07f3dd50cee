#include "libpeer/runtime/manual_executor.h"

#include <algorithm>
#include <utility>

#include "libpeer/base/check.h"

namespace peer::runtime {

// A posted function is a node of the same queue as the coroutines, so that both run in one order.
struct ManualExecutor::Posted : Suspended {
  Function fn;
};

ManualExecutor::~ManualExecutor() {
  close();
  while (timers_.pop()) {  // destroying a timer's function may disarm others and post
  }
  while (Suspended* entry = pop()) {
    if (!entry->handle) delete static_cast<Posted*>(entry);
  }
}

Suspended* ManualExecutor::pop() noexcept {
  const std::lock_guard lock(mutex_);
  return ready_.pop();
}

void ManualExecutor::wake(Suspended& coroutine) noexcept {
  const std::lock_guard lock(mutex_);
  ready_.push(coroutine);
}

bool ManualExecutor::post(Function fn) {
  auto posted = std::make_unique<Posted>();
  posted->fn = std::move(fn);
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  ready_.push(*posted.release());
  return true;
}

bool ManualExecutor::step() {
  Suspended* entry = pop();
  if (entry == nullptr) return false;
  if (entry->handle) {
    entry->handle.resume();
  } else {
    const std::unique_ptr<Posted> posted(static_cast<Posted*>(entry));
    detail::call(posted->fn, "posted");
  }
  return true;
}

std::size_t ManualExecutor::run_ready() {
  std::size_t steps = 0;
  while (step()) ++steps;
  return steps;
}

void ManualExecutor::advance(Duration by) {
  const TimePoint target = now_ + by;
  run_ready();
  while (timers_.first() != nullptr && timers_.first()->at <= target) {
    advance_to_next_timer();
    run_ready();
  }
  now_ = std::max(now_, target);  // a function that ran may have advanced the clock itself
}

bool ManualExecutor::advance_to_next_timer() {
  auto due = timers_.pop();
  if (!due) return false;
  now_ = std::max(now_, due->first.at);
  detail::call(due->second, "timer");
  return true;
}

void ManualExecutor::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

bool ManualExecutor::idle() const {
  const std::lock_guard lock(mutex_);
  return ready_.empty();
}

ManualWorkers::ManualWorkers(ManualExecutor& executor, std::uint64_t seed, Duration slowest)
    : executor_(executor), random_(seeded_random(seed)), slowest_(slowest) {}

void ManualWorkers::submit(Job job) {
  ++outstanding_;
  Executor::Function run = [this, job = std::move(job)]() mutable {
    --outstanding_;
    detail::call(job, "worker");
  };
  if (slowest_ <= Duration::zero()) {
    PEER_CHECK(executor_.post(std::move(run)));
    return;
  }
  const auto delay = Duration(random_->below(static_cast<std::uint64_t>(slowest_.count()) + 1));
  executor_.arm(executor_.now() + delay, std::move(run));
}

}  // namespace peer::runtime
