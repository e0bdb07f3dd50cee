#include "libpeer/transfer/fair_budget.h"

#include <algorithm>

#include "libpeer/base/check.h"
#include "libpeer/net/accounts.h"
#include "libpeer/runtime/defer.h"

namespace peer::transfer {

namespace {
/// An IPv4 address, or the /64 of an IPv6 address: one machine can have all addresses of a /64.
std::uint64_t difference(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }
}  // namespace

struct FairBudget::FairRequest {
  std::uint64_t least;
  std::uint64_t most;
  runtime::Event granted;
  FairUnits units;
};

struct FairBudget::HostAccount {
  HostAccount(std::shared_ptr<Ledger> l, const net::ShareKey& k) : ledger(std::move(l)), key(k) {}
  HostAccount(const HostAccount&) = delete;
  HostAccount& operator=(const HostAccount&) = delete;
  ~HostAccount();
  std::shared_ptr<Ledger> ledger;
  net::ShareKey key;
  std::uint64_t held = 0;
  std::map<net::ChannelBinding, std::weak_ptr<Account>> accounts;
  std::list<Account*> waiting;  // in turn
};

class FairBudget::Account {
 public:
  Account(std::shared_ptr<HostAccount> h, const net::ChannelBinding& c) : host(std::move(h)), connection(c) {}
  Account(const Account&) = delete;
  Account& operator=(const Account&) = delete;
  ~Account() { host->accounts.erase(connection); }
  std::shared_ptr<HostAccount> host;
  net::ChannelBinding connection;
  std::uint64_t held = 0;
  std::list<FairRequest*> waiting;  // oldest first
};

struct FairBudget::Ledger {
  Ledger(std::uint64_t u, std::uint64_t f) : units(u), floor(f) {}

  std::uint64_t free() const noexcept { return units - used; }

  /// How many units the account may have now; 0 if fewer than `least`.
  std::uint64_t allowance(const Account& account, std::uint64_t least, std::uint64_t most) const noexcept {
    const HostAccount& host = *account.host;
    const std::uint64_t host_limit = std::min((units - (used - host.held)) * 2 / 3, 2 * units / hosts.size());
    const std::uint64_t limit =
        std::min(difference(host_limit, host.held - account.held) * 2 / 3, 2 * host_limit / host.accounts.size());
    std::uint64_t room = std::min(difference(host_limit, host.held), difference(limit, account.held));
    room = std::max(room, difference(free() >= units / 2 ? floor : floor / 16, account.held));
    if (account.held == 0) room = std::max(room, least);
    room = std::min(room, free());
    return room >= least ? std::min(room, most) : 0;
  }

  FairUnits charge(const std::shared_ptr<Account>& account, std::uint64_t count) {
    used += count;
    account->host->held += count;
    account->held += count;
    return {account, count};
  }

  /// Grants the oldest request of the next connection whose request fits.
  bool grant_one(HostAccount& host) {
    for (std::size_t left = host.waiting.size(); left > 0; --left) {
      Account& account = *host.waiting.front();
      host.waiting.splice(host.waiting.end(), host.waiting, host.waiting.begin());
      FairRequest& request = *account.waiting.front();
      const std::uint64_t count = allowance(account, request.least, request.most);
      if (count == 0) continue;
      account.waiting.pop_front();
      if (account.waiting.empty()) host.waiting.pop_back();
      request.units = charge(host.accounts.at(account.connection).lock(), count);
      request.granted.set();
      return true;
    }
    return false;
  }

  void grant_waiting() {
    for (std::size_t refused = 0; refused < waiting.size() && free() > 0;) {
      HostAccount& host = *waiting.front();
      waiting.splice(waiting.end(), waiting, waiting.begin());
      refused = grant_one(host) ? 0 : refused + 1;
      if (host.waiting.empty()) waiting.pop_back();
    }
  }

  void enqueue(Account& account, FairRequest& request) {
    if (account.host->waiting.empty()) waiting.push_back(account.host.get());
    if (account.waiting.empty()) account.host->waiting.push_back(&account);
    account.waiting.push_back(&request);
  }

  void dequeue(Account& account, FairRequest& request) {
    account.waiting.remove(&request);
    if (account.waiting.empty()) account.host->waiting.remove(&account);
    if (account.host->waiting.empty()) waiting.remove(account.host.get());
  }

  const std::uint64_t units;
  const std::uint64_t floor;
  std::uint64_t used = 0;
  std::map<net::ShareKey, std::weak_ptr<HostAccount>> hosts;
  std::list<HostAccount*> waiting;  // in turn
};

FairBudget::HostAccount::~HostAccount() { ledger->hosts.erase(key); }

FairBudget::FairUnits& FairBudget::FairUnits::operator=(FairUnits&& other) noexcept {
  if (this == &other) return *this;
  release();
  account_ = std::move(other.account_);
  count_ = std::exchange(other.count_, 0);
  return *this;
}

void FairBudget::FairUnits::release() noexcept {
  const std::shared_ptr<Account> account = std::move(account_);
  if (!account) return;
  const std::shared_ptr<Ledger> ledger = account->host->ledger;
  const std::uint64_t count = std::exchange(count_, 0);
  ledger->used -= count;
  account->host->held -= count;
  account->held -= count;
  ledger->grant_waiting();
}

FairBudget::FairBudget(std::uint64_t units, std::uint64_t floor) : ledger_(std::make_shared<Ledger>(units, floor)) {}

std::shared_ptr<FairBudget::Account> FairBudget::account_of(const net::ServerStream& stream) {
  const net::ShareKey key = net::ShareKey::network(stream.remote_address());
  std::weak_ptr<HostAccount>& known = ledger_->hosts[key];
  std::shared_ptr<HostAccount> host = known.lock();
  if (!host) known = host = std::make_shared<HostAccount>(ledger_, key);
  std::weak_ptr<Account>& slot = host->accounts[stream.channel_binding()];
  std::shared_ptr<Account> account = slot.lock();
  if (!account) slot = account = std::make_shared<Account>(std::move(host), stream.channel_binding());
  return account;
}

FairBudget::FairUnits FairBudget::try_acquire(const std::shared_ptr<Account>& account, std::uint64_t least,
                                              std::uint64_t most) {
  if (contended() && ledger_->free() < ledger_->units / 4) return {};  // the rest is for those that wait
  const std::uint64_t count = ledger_->allowance(*account, least, most);
  return count == 0 ? FairUnits{} : ledger_->charge(account, count);
}

runtime::Task<FairBudget::FairUnits> FairBudget::acquire(std::shared_ptr<Account> account, std::uint64_t least,
                                                         std::uint64_t most, runtime::CancellationToken token) {
  PEER_CHECK(least > 0 && least <= most && least <= ledger_->units);
  token.throw_if_requested();
  const std::shared_ptr<Ledger> ledger = ledger_;
  FairRequest request{least, most, {}, {}};
  ledger->enqueue(*account, request);
  const runtime::Defer leave([&ledger, &account, &request] {
    if (request.granted.is_set()) return;  // grant_one() removed it
    ledger->dequeue(*account, request);
    ledger->grant_waiting();
  });
  ledger->grant_waiting();
  if (!request.granted.is_set()) co_await request.granted.wait(token);
  co_return std::move(request.units);
}

bool FairBudget::contended() const noexcept { return !ledger_->waiting.empty(); }
std::uint64_t FairBudget::used() const noexcept { return ledger_->used; }

}  // namespace peer::transfer
