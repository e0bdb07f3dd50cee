#include "libpeer/sessions/session_slots.h"

#include <algorithm>
#include <string>

namespace peer::sessions {

SessionSlot::~SessionSlot() {
  if (slots_) slots_->close(peer_, account_);
}

Result<SessionSlot> SessionSlots::open(const PeerId& peer, const net::SocketAddress& remote) {
  const auto held = peers_.find(peer);
  if (held != peers_.end() && held->second >= kMaxSessionsPerPeer)
    return fail(ErrorCode::busy, "the peer has " + std::to_string(held->second) + " sessions here already");
  const net::SocketAddress account = account_of(remote);
  if (!accounts_.try_acquire(account, 1)) {
    return fail(ErrorCode::busy,
                account.host_string() + " has " + std::to_string(accounts_.used(account)) + " sessions here already");
  }
  ++peers_[peer];
  return SessionSlot(shared_from_this(), peer, account, meter_of(account));
}

void SessionSlots::close(const PeerId& peer, const net::SocketAddress& account) {
  const auto held = peers_.find(peer);
  if (--held->second == 0) peers_.erase(held);
  accounts_.release(account, 1);
}

std::shared_ptr<FrameMeter> SessionSlots::meter_of(const net::SocketAddress& account) {
  const auto found = meters_.find(account);
  if (found != meters_.end()) return found->second;
  if (meters_.size() >= kMaxIdleMeters)
    std::erase_if(meters_, [](const auto& each) { return each.second.use_count() == 1; });
  return meters_.emplace(account, std::make_shared<FrameMeter>(kAccountMeterScale)).first->second;
}

}  // namespace peer::sessions
