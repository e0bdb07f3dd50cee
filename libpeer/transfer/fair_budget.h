// FairBudget: units that remotes share, for example bytes of memory, so that none can take what the others need.
//
// Units are charged to a connection and to its host. A host gets at most two thirds of the units that the other hosts
// leave, and at most twice its equal part; the same holds for a connection within its host's share. So an idle system
// gives one remote almost half of the units and always keeps some for a newcomer, and each further remote reduces the
// shares of all. A few units are granted to every connection whatever its host holds. Hosts take turns when they wait,
// and so do the connections of a host. Loop: one; also for its units.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <utility>

#include "libpeer/net/link.h"
#include "libpeer/runtime/event.h"

namespace peer::transfer {

class FairBudget {
 private:
  struct Ledger;
  struct HostAccount;
  struct FairRequest;

 public:
  /// The units that one connection holds and waits for.
  class Account;

  /// Units held; they return when this is destroyed, which may be after the budget.
  class [[nodiscard]] FairUnits {
   public:
    FairUnits() = default;
    FairUnits(std::shared_ptr<Account> account, std::uint64_t count) noexcept
        : account_(std::move(account)), count_(count) {}
    FairUnits(FairUnits&& other) noexcept
        : account_(std::move(other.account_)), count_(std::exchange(other.count_, 0)) {}
    FairUnits& operator=(FairUnits&& other) noexcept;
    ~FairUnits() { release(); }
    std::uint64_t count() const noexcept { return count_; }
    void release() noexcept;

   private:
    std::shared_ptr<Account> account_;
    std::uint64_t count_ = 0;
  };

  /// A connection gets `floor` units whatever its host holds while half of the units are free, and a sixteenth of them
  /// while fewer are free.
  FairBudget(std::uint64_t units, std::uint64_t floor);

  /// The account of the stream's connection; the same one while anyone holds it.
  std::shared_ptr<Account> account_of(const net::ServerStream& stream);
  /// Between `least` and `most` units, if the account may have them now without a wait; otherwise none.
  FairUnits try_acquire(const std::shared_ptr<Account>& account, std::uint64_t least, std::uint64_t most);
  /// Waits for at least `least` units. Cancel: throws Cancelled and holds nothing.
  runtime::Task<FairUnits> acquire(std::shared_ptr<Account> account, std::uint64_t least, std::uint64_t most,
                                   runtime::CancellationToken token);
  /// Whether someone waits.
  bool contended() const noexcept;
  std::uint64_t used() const noexcept;

 private:
  std::shared_ptr<Ledger> ledger_;
};

}  // namespace peer::transfer
