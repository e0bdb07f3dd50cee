// SessionSlots: how many sessions other peers may open here, and how fast the sessions of one account may send.
// Loop: net.
// Limits: kMaxSessionsPerPeer of one peer id; kMaxInboundSessions in all, shared fairly among accounts.
#pragma once

#include <map>
#include <memory>
#include <utility>

#include "libpeer/base/digest.h"
#include "libpeer/base/result.h"
#include "libpeer/sessions/fair_shares.h"
#include "libpeer/sessions/frame_meter.h"
#include "libpeer/sessions/remote_account.h"

namespace peer::sessions {

/// A peer has one session. Others overlap with it for a moment, when a peer dials again or at several addresses.
inline constexpr std::size_t kMaxSessionsPerPeer = 4;
inline constexpr std::size_t kMaxInboundSessions = 512;
/// How many times as fast as one session the sessions of an account may send together.
inline constexpr double kAccountMeterScale = 4;
/// Meters of accounts without a session that are kept: a new session does not get a new burst.
inline constexpr std::size_t kMaxIdleMeters = 1024;

class SessionSlots;

/// A session's place. The destructor frees it.
class [[nodiscard]] SessionSlot {
 public:
  SessionSlot(SessionSlot&& other) noexcept
      : slots_(std::move(other.slots_)),
        peer_(other.peer_),
        account_(other.account_),
        meter_(std::move(other.meter_)) {}
  SessionSlot& operator=(SessionSlot&&) = delete;
  ~SessionSlot();
  FrameMeter* meter() const noexcept { return meter_.get(); }

 private:
  friend class SessionSlots;
  SessionSlot(std::shared_ptr<SessionSlots> slots, const PeerId& peer, const net::SocketAddress& account,
              std::shared_ptr<FrameMeter> meter)
      : slots_(std::move(slots)), peer_(peer), account_(account), meter_(std::move(meter)) {}

  std::shared_ptr<SessionSlots> slots_;
  PeerId peer_;
  net::SocketAddress account_;
  std::shared_ptr<FrameMeter> meter_;  ///< of the account
};

class SessionSlots : public std::enable_shared_from_this<SessionSlots> {
 public:
  /// A place for a session that `peer` opens from `remote`. Fails: busy.
  Result<SessionSlot> open(const PeerId& peer, const net::SocketAddress& remote);

 private:
  friend class SessionSlot;
  void close(const PeerId& peer, const net::SocketAddress& account);
  std::shared_ptr<FrameMeter> meter_of(const net::SocketAddress& account);

  std::map<PeerId, std::size_t> peers_;
  FairShares<net::SocketAddress> accounts_{kMaxInboundSessions};
  std::map<net::SocketAddress, std::shared_ptr<FrameMeter>> meters_;
};

}  // namespace peer::sessions
