#include "libpeer/transfer/byte_budget.h"

#include "libpeer/base/check.h"

namespace peer::transfer {

/// A place in the queue; leaving it, for whatever reason, lets the next one look.
struct ByteBudget::Turn {
  explicit Turn(ByteBudget& b) : budget(b), place(b.waiting_.insert(b.waiting_.end(), &event)) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    budget.waiting_.erase(place);
    if (!budget.waiting_.empty()) budget.waiting_.front()->set();
  }
  bool is_first() const { return budget.waiting_.front() == &event; }

  ByteBudget& budget;
  runtime::Event event;
  std::list<runtime::Event*>::iterator place;
};

runtime::Task<void> ByteBudget::acquire(std::uint64_t bytes, runtime::CancellationToken token) {
  token.throw_if_requested();
  if (!waiting_.empty() || !fits(bytes)) {
    Turn turn(*this);
    while (!turn.is_first() || !fits(bytes)) {
      turn.event.reset();
      co_await turn.event.wait(token);
    }
    used_ += bytes;
    co_return;
  }
  used_ += bytes;
}

void ByteBudget::release(std::uint64_t bytes) noexcept {
  PEER_CHECK(bytes <= used_);
  used_ -= bytes;
  if (!waiting_.empty()) waiting_.front()->set();
}

}  // namespace peer::transfer
