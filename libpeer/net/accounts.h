// FairAccount, FairRate: what remotes may hold, and how often they may do something, in fair shares that others borrow.
//
// A RemoteKey names whom a charge is on, from wide to narrow: a group, a member of it, a connection. Strangers share
// the group of their IPv4 address or their IPv6 /64, so that ids and addresses, which cost nothing, gain nothing. A
// known peer is a group of its own wherever it connects from. No I/O and no clock. Loop: one.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "libpeer/base/digest.h"
#include "libpeer/net/address.h"
#include "libpeer/runtime/executor.h"

namespace peer::net {

/// A name in an account: of a network, an address or a peer.
class ShareKey {
 public:
  ShareKey() = default;
  /// The IPv4 address, or the first 64 bits of the IPv6 address.
  static ShareKey network(const SocketAddress& address);
  /// The whole address, without its port.
  static ShareKey host(const SocketAddress& address);
  static ShareKey peer(const PeerId& id);
  std::strong_ordering operator<=>(const ShareKey&) const = default;

 private:
  enum class Kind : std::uint8_t { none, network, host, peer };
  Kind kind_ = Kind::none;
  std::array<std::uint8_t, 32> bytes_{};
};

/// Whom a charge is on.
struct RemoteKey {
  ShareKey group, member;
  std::uint64_t connection = 0;
  /// `known`: the peer is paired, trusted, of this party, or was seen on an earlier day.
  static RemoteKey of(const SocketAddress& address, const std::optional<PeerId>& peer, bool known,
                      std::uint64_t connection);
  bool operator==(const RemoteKey&) const = default;
};

/// A fixed amount (bytes, connections, streams) that groups share. A group may hold everything while nobody else needs
/// it. When nothing is left, a refusal names the largest holder, whose charges the caller can revoke. Limits: as many
/// entries as charges.
class FairAccount {
 public:
  /// At most `total` is charged, and at most `per_group` to a group. Charges that take a group beyond its share leave
  /// `reserve` free, for callers that cannot revoke anything.
  explicit FairAccount(std::uint64_t total, std::uint64_t per_group = UINT64_MAX, std::uint64_t reserve = 0)
      : total_(total), per_group_(per_group), reserve_(reserve) {}
  FairAccount(const FairAccount&) = delete;
  FairAccount& operator=(const FairAccount&) = delete;

  /// Ends the charge when it is destroyed. The account must outlive it.
  class AccountCharge {
   public:
    AccountCharge() = default;
    AccountCharge(AccountCharge&& other) noexcept
        : account_(std::exchange(other.account_, nullptr)), remote_(other.remote_), amount_(other.amount_) {}
    AccountCharge& operator=(AccountCharge&& other) noexcept;
    ~AccountCharge() { reset(); }
    void reset() noexcept;
    const RemoteKey& remote() const noexcept { return remote_; }
    std::uint64_t amount() const noexcept { return account_ == nullptr ? 0 : amount_; }

   private:
    friend class FairAccount;
    AccountCharge(FairAccount& account, const RemoteKey& remote, std::uint64_t amount)
        : account_(&account), remote_(remote), amount_(amount) {}
    FairAccount* account_ = nullptr;
    RemoteKey remote_;
    std::uint64_t amount_ = 0;
  };

  struct AccountRefusal {
    /// Who holds more than the refused remote would: the largest connection of the largest group, or within the group
    /// of the refused remote. Empty: nobody does.
    std::optional<RemoteKey> largest;
  };

  /// A remote that would hold at most share() gets the charge, or a refusal that names another group.
  std::expected<AccountCharge, AccountRefusal> charge(const RemoteKey& remote, std::uint64_t amount);
  /// Moves a charge to another key, for example once the peer behind an address is proven.
  void move(AccountCharge& charge, const RemoteKey& to);

  std::uint64_t used() const noexcept { return used_; }
  std::uint64_t used_by(const ShareKey& group) const;
  /// The total, divided by the groups that hold something and this one.
  std::uint64_t share(const ShareKey& group) const;

 private:
  struct MemberUse {
    std::uint64_t used = 0;
    std::map<std::uint64_t, std::uint64_t> connections;
  };
  struct GroupUse {
    std::uint64_t used = 0;
    std::map<ShareKey, MemberUse> members;
  };
  void add(const RemoteKey& remote, std::uint64_t amount);
  void remove(const RemoteKey& remote, std::uint64_t amount) noexcept;
  std::optional<RemoteKey> largest_beside(const RemoteKey& remote, std::uint64_t amount) const;

  const std::uint64_t total_, per_group_, reserve_;
  std::uint64_t used_ = 0;
  std::map<ShareKey, GroupUse> groups_;
};

/// A token bucket for each group, and one that all share: a group uses its own tokens first, then the shared ones.
/// Limits: kRateGroups groups; further ones share one bucket.
class FairRate {
 public:
  struct RateBucket {
    double burst = 0, per_second = 0;
  };
  FairRate(RateBucket own, RateBucket shared) : own_(own), shared_limit_(shared), shared_{shared.burst, {}} {}

  /// False: the group has used its tokens, and others have used the shared ones.
  bool try_consume(const ShareKey& group, runtime::TimePoint now, double tokens = 1);
  std::size_t groups() const noexcept { return states_.size(); }

 private:
  struct GroupBucket {
    double left = 0;
    runtime::TimePoint at{};
    bool consume(const RateBucket& limit, runtime::TimePoint now, double tokens);
  };
  void forget_full(runtime::TimePoint now);

  const RateBucket own_, shared_limit_;
  GroupBucket shared_;
  std::map<ShareKey, GroupBucket> states_;
};

inline constexpr std::size_t kRateGroups = 1024;

}  // namespace peer::net
