// FairShares: divides a number of units among accounts. Pure.
//
// An account may take units as long as it has at most as many as stay free. So one account alone gets half of the
// units, n accounts get 1/(n + 1) each, and a new account always finds some.
#pragma once

#include <cstddef>
#include <map>

namespace peer::sessions {

template <class Account>
class FairShares {
 public:
  explicit FairShares(std::size_t units) : free_(units) {}

  /// False, and takes nothing, if the account's share is used up.
  bool try_acquire(const Account& account, std::size_t units) {
    const auto held = used_.find(account);
    const std::size_t used = held == used_.end() ? 0 : held->second;
    if (units > free_ || used + units > free_) return false;
    free_ -= units;
    used_[account] = used + units;
    return true;
  }
  void release(const Account& account, std::size_t units) {
    const auto held = used_.find(account);
    held->second -= units;
    if (held->second == 0) used_.erase(held);
    free_ += units;
  }
  std::size_t used(const Account& account) const {
    const auto held = used_.find(account);
    return held == used_.end() ? 0 : held->second;
  }
  std::size_t free() const noexcept { return free_; }

 private:
  std::size_t free_;
  std::map<Account, std::size_t> used_;
};

}  // namespace peer::sessions
