#include "libpeer/runtime/manual_executor.h"

#include <algorithm>
#include <utility>

#include "libpeer/base/check.h"

namespace peer::runtime {

// A posted function stands in the same queue as the coroutines: one order for both.
struct ManualExecutor::Posted : Suspended {
  Function fn;
};

ManualExecutor::~ManualExecutor() {
  close();
  while (!timers_.empty()) timers_.extract(timers_.begin());  // what one owns may disarm another
  while (Suspended* entry = take()) {
    if (!entry->handle) delete static_cast<Posted*>(entry);
  }
}

void ManualExecutor::append(Suspended& entry) noexcept {
  PEER_CHECK(!entry.queued);
  entry.queued = true;
  entry.next = nullptr;
  (last_ == nullptr ? first_ : last_->next) = &entry;
  last_ = &entry;
}

Suspended* ManualExecutor::take() noexcept {
  const std::lock_guard lock(mutex_);
  Suspended* entry = first_;
  if (entry == nullptr) return nullptr;
  first_ = entry->next;
  if (first_ == nullptr) last_ = nullptr;
  entry->queued = false;
  return entry;
}

void ManualExecutor::wake(Suspended& coroutine) noexcept {
  const std::lock_guard lock(mutex_);
  append(coroutine);
}

bool ManualExecutor::post(Function fn) {
  auto posted = std::make_unique<Posted>();
  posted->fn = std::move(fn);
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  append(*posted.release());
  return true;
}

Executor::Timer ManualExecutor::arm(TimePoint at, Function fn) {
  const Timer timer{at, ++sequence_};
  timers_.emplace(timer, std::move(fn));
  return timer;
}

void ManualExecutor::disarm(const Timer& timer) noexcept {
  const auto node = timers_.extract(timer);  // what it owns ends after the map is whole again
}

bool ManualExecutor::step() {
  Suspended* entry = take();
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
  while (!timers_.empty() && timers_.begin()->first.at <= target) {
    advance_to_next_timer();
    run_ready();
  }
  now_ = std::max(now_, target);  // what ran may have advanced the clock itself
}

bool ManualExecutor::advance_to_next_timer() {
  if (timers_.empty()) return false;
  auto node = timers_.extract(timers_.begin());
  now_ = std::max(now_, node.key().at);
  detail::call(node.mapped(), "timer");
  return true;
}

void ManualExecutor::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

bool ManualExecutor::idle() const {
  const std::lock_guard lock(mutex_);
  return first_ == nullptr;
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
