#include "libpeer/net/accounts.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "libpeer/base/check.h"

namespace peer::net {
namespace {

std::array<std::uint8_t, 16> ip_of(const SocketAddress& address) {
  sockaddr_storage native;
  address.to_native(AF_INET6, native);
  std::array<std::uint8_t, 16> ip;
  std::memcpy(ip.data(), &reinterpret_cast<const sockaddr_in6&>(native).sin6_addr, ip.size());
  return ip;
}

}  // namespace

ShareKey ShareKey::network(const SocketAddress& address) {
  ShareKey key;
  key.kind_ = Kind::network;
  std::ranges::copy_n(ip_of(address).begin(), address.is_v4() ? 16 : 8, key.bytes_.begin());
  return key;
}

ShareKey ShareKey::host(const SocketAddress& address) {
  ShareKey key;
  key.kind_ = Kind::host;
  std::ranges::copy(ip_of(address), key.bytes_.begin());
  return key;
}

ShareKey ShareKey::peer(const PeerId& id) {
  ShareKey key;
  key.kind_ = Kind::peer;
  std::ranges::copy(id.bytes, key.bytes_.begin());
  return key;
}

RemoteKey RemoteKey::of(const SocketAddress& address, const std::optional<PeerId>& peer, bool known,
                        std::uint64_t connection) {
  if (peer && known) return {ShareKey::peer(*peer), ShareKey::host(address), connection};
  return {ShareKey::network(address), ShareKey::host(address), connection};
}

FairAccount::AccountCharge& FairAccount::AccountCharge::operator=(AccountCharge&& other) noexcept {
  if (this == &other) return *this;
  reset();
  account_ = std::exchange(other.account_, nullptr);
  remote_ = other.remote_;
  amount_ = other.amount_;
  return *this;
}

void FairAccount::AccountCharge::reset() noexcept {
  if (account_ != nullptr) std::exchange(account_, nullptr)->remove(remote_, amount_);
}

std::expected<FairAccount::AccountCharge, FairAccount::AccountRefusal> FairAccount::charge(const RemoteKey& remote,
                                                                                           std::uint64_t amount) {
  const std::uint64_t held = used_by(remote.group);
  if (amount > per_group_ || held > per_group_ - amount) {
    std::optional<RemoteKey> largest = largest_beside(remote, amount);
    if (largest && largest->group != remote.group) largest.reset();  // its charges are not in the way
    return std::unexpected(AccountRefusal{largest});
  }
  const bool borrows = held + amount > share(remote.group);
  const std::uint64_t available = total_ - used_ - (borrows ? std::min(reserve_, total_ - used_) : 0);
  if (amount > available) return std::unexpected(AccountRefusal{largest_beside(remote, amount)});
  add(remote, amount);
  return AccountCharge(*this, remote, amount);
}

void FairAccount::move(AccountCharge& charge, const RemoteKey& to) {
  PEER_CHECK(charge.account_ == this);
  remove(charge.remote_, charge.amount_);
  add(to, charge.amount_);
  charge.remote_ = to;
}

std::uint64_t FairAccount::used_by(const ShareKey& group) const {
  const auto at = groups_.find(group);
  return at == groups_.end() ? 0 : at->second.used;
}

std::uint64_t FairAccount::share(const ShareKey& group) const {
  return total_ / (groups_.size() + (groups_.contains(group) ? 0 : 1));
}

void FairAccount::add(const RemoteKey& remote, std::uint64_t amount) {
  GroupUse& group = groups_[remote.group];
  MemberUse& member = group.members[remote.member];
  used_ += amount;
  group.used += amount;
  member.used += amount;
  member.connections[remote.connection] += amount;
}

void FairAccount::remove(const RemoteKey& remote, std::uint64_t amount) noexcept {
  const auto group = groups_.find(remote.group);
  const auto member = group->second.members.find(remote.member);
  const auto connection = member->second.connections.find(remote.connection);
  used_ -= amount;
  group->second.used -= amount;
  member->second.used -= amount;
  connection->second -= amount;
  if (connection->second == 0) member->second.connections.erase(connection);
  if (member->second.used == 0) group->second.members.erase(member);
  if (group->second.used == 0) groups_.erase(group);
}

// The largest holder, at the widest level at which somebody else holds more than `remote` would.
std::optional<RemoteKey> FairAccount::largest_beside(const RemoteKey& remote, std::uint64_t amount) const {
  const auto used = [](const auto& entry) { return entry.second.used; };
  const auto self = [](const auto& entry) { return entry.second; };
  if (groups_.empty()) return std::nullopt;
  auto group = std::ranges::max_element(groups_, {}, used);
  if (group->second.used > used_by(remote.group) + amount && group->first != remote.group) {
    const auto member = std::ranges::max_element(group->second.members, {}, used);
    const auto connection = std::ranges::max_element(member->second.connections, {}, self);
    return RemoteKey{group->first, member->first, connection->first};
  }
  group = groups_.find(remote.group);
  if (group == groups_.end()) return std::nullopt;
  const auto& members = group->second.members;
  auto member = std::ranges::max_element(members, {}, used);
  const auto own_member = members.find(remote.member);
  const std::uint64_t held = own_member == members.end() ? 0 : own_member->second.used;
  if (member->second.used > held + amount && member->first != remote.member) {
    const auto connection = std::ranges::max_element(member->second.connections, {}, self);
    return RemoteKey{remote.group, member->first, connection->first};
  }
  if (own_member == members.end()) return std::nullopt;
  const auto& connections = own_member->second.connections;
  const auto connection = std::ranges::max_element(connections, {}, self);
  const auto own = connections.find(remote.connection);
  const std::uint64_t mine = own == connections.end() ? 0 : own->second;
  if (connection->first == remote.connection || connection->second <= mine + amount) return std::nullopt;
  return RemoteKey{remote.group, remote.member, connection->first};
}

bool FairRate::GroupBucket::consume(const RateBucket& limit, runtime::TimePoint now, double tokens) {
  const double seconds = std::chrono::duration<double>(now - at).count();
  left = std::min(limit.burst, left + std::max(0.0, seconds) * limit.per_second);
  at = now;
  if (left < tokens) return false;
  left -= tokens;
  return true;
}

bool FairRate::try_consume(const ShareKey& group, runtime::TimePoint now, double tokens) {
  if (states_.size() >= kRateGroups && !states_.contains(group)) forget_full(now);
  const ShareKey key = states_.size() < kRateGroups || states_.contains(group) ? group : ShareKey();
  GroupBucket& own = states_.try_emplace(key, GroupBucket{own_.burst, now}).first->second;
  return own.consume(own_, now, tokens) || shared_.consume(shared_limit_, now, tokens);
}

// A full bucket says nothing about its group.
void FairRate::forget_full(runtime::TimePoint now) {
  for (auto at = states_.begin(); at != states_.end();) {
    at->second.consume(own_, now, 0);
    at = at->second.left >= own_.burst ? states_.erase(at) : std::next(at);
  }
}

}  // namespace peer::net
