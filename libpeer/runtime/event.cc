#include "libpeer/runtime/event.h"

#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/runtime/sleep.h"

namespace peer::runtime {

// A node of the event's ring, in order of waiting. A woken wait has left the ring and does not use the event again.
struct Event::EventWait {
  Event& event;
  Suspended* waiter = nullptr;
  EventWait* previous = nullptr;
  EventWait* next = nullptr;
  bool cancelled = false;

  bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> self) noexcept {
    waiter = &self.promise();
    if (event.first_ == nullptr) {
      previous = next = this;
      event.first_ = this;
    } else {
      next = event.first_;
      previous = next->previous;
      previous->next = next->previous = this;
    }
  }
  void await_resume() const {
    if (cancelled) throw Cancelled{};
  }
  void cancel() noexcept {
    if (waiter == nullptr) return;
    cancelled = true;
    leave();
  }
  void leave() noexcept {
    previous->next = next;
    next->previous = previous;
    if (event.first_ == this) event.first_ = next == this ? nullptr : next;
    std::exchange(waiter, nullptr)->wake();
  }
};

Event::~Event() { PEER_CHECK(first_ == nullptr); }

void Event::set() noexcept {
  set_ = true;
  while (first_ != nullptr) first_->leave();
}

Task<void> Event::wait(CancellationToken token) {
  token.throw_if_requested();
  if (set_) co_return;
  EventWait wait{*this};
  CancelHook hook(token, [&wait] { wait.cancel(); });
  co_await wait;
}

Task<bool> Event::wait_for(Executor& executor, Duration limit, CancellationToken token) {
  const auto set = [this](CancellationToken limited) { return wait(std::move(limited)); };
  co_return co_await with_timeout(executor, limit, set, token);
}

}  // namespace peer::runtime
