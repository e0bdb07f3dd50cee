// Permits: so many at a time, in the order of asking.
// Loop: one.
#pragma once

#include <cstddef>
#include <deque>
#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/runtime/event.h"

namespace peer::library {

class Permits;

/// Given back when it ends.
class [[nodiscard]] Permit {
 public:
  Permit() = default;
  explicit Permit(Permits* from) noexcept : from_(from) {}
  Permit(Permit&& other) noexcept : from_(std::exchange(other.from_, nullptr)) {}
  Permit& operator=(Permit&&) = delete;
  ~Permit() { release(); }
  void release() noexcept;
  void swap(Permit& other) noexcept { std::swap(from_, other.from_); }

 private:
  Permits* from_ = nullptr;
};

class Permits {
 public:
  explicit Permits(std::size_t count) : free_(count) {}
  Permits(const Permits&) = delete;
  Permits& operator=(const Permits&) = delete;
  ~Permits() { PEER_CHECK(waiting_.empty()); }

  bool taken() const noexcept { return free_ == 0; }

  /// Cancel: throws Cancelled; no permit is lost.
  runtime::Task<Permit> acquire(runtime::CancellationToken token) {
    token.throw_if_requested();
    if (free_ > 0) {
      --free_;
      co_return Permit(this);
    }
    Waiter waiter;
    waiting_.push_back(&waiter);
    const Leave leave{this, &waiter};
    co_await waiter.given.wait(token);
    co_return Permit(this);
  }

 private:
  friend class Permit;
  struct Waiter {
    runtime::Event given;
  };
  struct Leave {
    Permits* permits;
    Waiter* waiter;
    Leave(Permits* p, Waiter* w) noexcept : permits(p), waiter(w) {}
    Leave(const Leave&) = delete;
    Leave& operator=(const Leave&) = delete;
    ~Leave() { std::erase(permits->waiting_, waiter); }
  };
  void give_back() noexcept {
    if (waiting_.empty()) {
      ++free_;
      return;
    }
    Waiter* next = waiting_.front();
    waiting_.pop_front();
    next->given.set();  // a waiter that was woken so is not cancelled any more
  }
  std::size_t free_;
  std::deque<Waiter*> waiting_;
};

inline void Permit::release() noexcept {
  if (from_ != nullptr) std::exchange(from_, nullptr)->give_back();
}

}  // namespace peer::library
