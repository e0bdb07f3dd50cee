// TargetDialer: keeps the peers in DialTargets connected. It is the part of the service Discovery that dials.
//
// It dials a target until the peer is connected, with growing pauses, and again when the session has ended. It dials a
// static target until the target is dropped or the daemon stops, and a target that mDNS found as long as a record names
// it. Loop: control.
#pragma once

#include <functional>
#include <string>

#include "libpeer/net/resolver.h"
#include "libpeer/sessions/dial_targets.h"

namespace peer::sessions {

/// If two peers find each other at the same time, the one with the higher id waits this long for the other one to dial.
inline constexpr runtime::Duration kDialYield = std::chrono::seconds(2);

struct TargetDialerOptions {
  net::Resolver* resolver = nullptr;
  Random* random = nullptr;
  /// Asks mDNS for the peer's current addresses; empty: there is no mDNS.
  std::function<void(const PeerId&)> refresh_addresses;
  Log log;
  TargetDialerOptions() = default;
};

class TargetDialer {
 public:
  TargetDialer(runtime::Executor& executor, const AccessLists& access, PeerTable& table, Dialer& dialer,
               DialTargets& targets, TargetDialerOptions options);

  /// Dials every target, with a task in `scope` for each, until cancelled. The sessions outlive the cancellation.
  runtime::Task<void> run(runtime::Scope& scope);
  /// Adds a target and dials it now. Fails: invalid or unreachable, and adds nothing, if the address is not valid or
  /// cannot be resolved; refused, unreachable or cancelled, and keeps dialing, if the peer does not connect.
  runtime::Task<Result<PeerId>> connect(std::string address, runtime::CancellationToken token);

 private:
  void start_targets(runtime::Scope& scope);
  bool connected(const DialTarget& target) const { return target.id && table_.is_connected(*target.id); }
  static Error why_not_connected(const DialTarget& target, const std::string& address);
  runtime::Task<void> keep(DialTarget& target, runtime::CancellationToken token);
  runtime::Task<void> keep_connected(DialTarget& target, runtime::CancellationToken token);
  runtime::Task<void> wait_retry(DialTarget& target, runtime::Duration delay, runtime::CancellationToken token);
  runtime::Duration pause_after(const DialTarget& target, bool refused) const;
  runtime::Task<Error> dial_once(DialTarget& target, runtime::CancellationToken token);

  runtime::Executor& executor_;
  const AccessLists& access_;
  PeerTable& table_;
  Dialer& dialer_;
  DialTargets& targets_;
  TargetDialerOptions options_;
};

}  // namespace peer::sessions
