#include "libpeer/downloads/peer_wait.h"

#include <algorithm>
#include <utility>

namespace peer::node {

namespace {
rt::TimePoint after(rt::TimePoint now, rt::Duration wait) {
  return wait > rt::TimePoint::max() - now ? rt::TimePoint::max() : now + wait;
}
}  // namespace

void PeerWait::bring(rt::Duration wait, rt::TimePoint now) {
  wait = std::max(wait, rt::Duration::zero());
  brought_ = true;
  if (held_) {
    held_ = std::max(*held_, wait);
  } else {
    until_ = std::max(until_, after(now, wait));
  }
}

rt::TimePoint PeerWait::until(rt::TimePoint now) const { return held_ ? after(now, *held_) : until_; }

rt::Duration PeerWait::left(rt::TimePoint now) const {
  if (held_) return *held_;
  return until_ > now ? until_ - now : rt::Duration::zero();
}

void PeerWait::hold(rt::TimePoint now) {
  if (!held_) held_ = left(now);
}

void PeerWait::go_on(rt::TimePoint now) {
  if (const auto held = std::exchange(held_, std::nullopt); held && brought_) until_ = after(now, *held);
}

}  // namespace peer::node
