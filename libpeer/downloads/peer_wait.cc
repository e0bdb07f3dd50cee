#include "libpeer/downloads/peer_wait.h"

#include <algorithm>
#include <utility>

namespace peer::downloads {

namespace {
runtime::TimePoint after(runtime::TimePoint now, runtime::Duration wait) {
  return wait > runtime::TimePoint::max() - now ? runtime::TimePoint::max() : now + wait;
}
}  // namespace

void PeerWait::bring(runtime::Duration wait, runtime::TimePoint now) {
  wait = std::max(wait, runtime::Duration::zero());
  brought_ = true;
  if (held_) {
    held_ = std::max(*held_, wait);
  } else {
    until_ = std::max(until_, after(now, wait));
  }
}

runtime::TimePoint PeerWait::until(runtime::TimePoint now) const { return held_ ? after(now, *held_) : until_; }

runtime::Duration PeerWait::left(runtime::TimePoint now) const {
  if (held_) return *held_;
  return until_ > now ? until_ - now : runtime::Duration::zero();
}

void PeerWait::hold(runtime::TimePoint now) {
  if (!held_) held_ = left(now);
}

void PeerWait::go_on(runtime::TimePoint now) {
  if (const auto held = std::exchange(held_, std::nullopt); held && brought_) until_ = after(now, *held);
}

}  // namespace peer::downloads
