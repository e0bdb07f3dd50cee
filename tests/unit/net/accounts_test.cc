// Fair shares of one account, under remotes that have as many ids and addresses as they like.
#include "libpeer/net/accounts.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <list>
#include <vector>

#include "libpeer/base/random.h"

using namespace peer;
using namespace peer::net;
using namespace std::chrono_literals;

namespace {

SocketAddress v6(int network, int host) {
  return *SocketAddress::parse("[fd00:0:0:" + std::to_string(network) + "::" + std::to_string(host) + "]:9");
}
SocketAddress v4(int host) { return *SocketAddress::parse("10.0.0." + std::to_string(host) + ":9"); }

PeerId id_of(std::uint64_t number) {
  PeerId id;
  seeded_random(number)->fill(id.bytes);
  return id;
}

/// Holds charges. Revokes one of the remote that a refusal names, as a user of the account does.
struct Holder {
  FairAccount& account;
  std::list<FairAccount::AccountCharge> charges;

  bool take(const RemoteKey& remote, std::uint64_t amount) {
    for (;;) {
      auto charge = account.charge(remote, amount);
      if (charge) {
        charges.push_back(std::move(*charge));
        return true;
      }
      if (!charge.error().largest) return false;
      const auto victim =
          std::ranges::find_if(charges, [&](const auto& held) { return held.remote() == *charge.error().largest; });
      REQUIRE(victim != charges.end());
      charges.erase(victim);
    }
  }
};

}  // namespace

TEST_CASE("An idle account gives everything to one remote, and not one unit more") {
  FairAccount account(100);
  const RemoteKey remote = RemoteKey::of(v4(1), id_of(1), false, 1);
  std::vector<FairAccount::AccountCharge> charges;
  for (int i = 0; i < 100; ++i) charges.push_back(std::move(*account.charge(remote, 1)));
  const auto refused = account.charge(remote, 1);
  REQUIRE(!refused);
  CHECK(!refused.error().largest);
  charges.pop_back();
  CHECK(account.charge(remote, 1).has_value());
  CHECK(!account.charge(remote, 2).has_value());
  charges.clear();
  CHECK(account.used() == 0);
  CHECK(account.charge(remote, 100).has_value());
  CHECK(account.used() == 0);
}

TEST_CASE("A group holds at most its own limit") {
  FairAccount account(100, 30);
  const RemoteKey remote = RemoteKey::of(v4(1), {}, false, 1);
  const auto most = account.charge(remote, 30);
  CHECK(most.has_value());
  CHECK(!account.charge(remote, 1).has_value());
  CHECK(account.charge(RemoteKey::of(v4(2), {}, false, 2), 30).has_value());
}

TEST_CASE("A borrower leaves the reserve to others") {
  FairAccount account(100, UINT64_MAX, 20);
  const RemoteKey first = RemoteKey::of(v4(1), {}, false, 1);
  const RemoteKey second = RemoteKey::of(v4(2), {}, false, 2);
  const auto one = account.charge(first, 80);
  REQUIRE(one);
  const auto two = account.charge(second, 10);
  REQUIRE(two);
  CHECK(!account.charge(first, 1).has_value());
  CHECK(account.charge(second, 10).has_value());
}

TEST_CASE("A thousand addresses of one /64 are one group, and different IPv4 addresses are not") {
  CHECK(ShareKey::network(v6(1, 1)) == ShareKey::network(v6(1, 999)));
  CHECK(ShareKey::network(v6(1, 1)) != ShareKey::network(v6(2, 1)));
  CHECK(ShareKey::network(v4(1)) != ShareKey::network(v4(2)));
  CHECK(ShareKey::host(v6(1, 1)) != ShareKey::host(v6(1, 2)));
  const PeerId id = id_of(1);
  CHECK(RemoteKey::of(v6(1, 1), id, true, 1).group == RemoteKey::of(v4(1), id, true, 2).group);
  CHECK(RemoteKey::of(v6(1, 1), id, false, 1).group == RemoteKey::of(v6(1, 2), id_of(2), false, 2).group);
}

TEST_CASE("One remote with 10,000 ids and 1,000 addresses in 16 networks leaves everybody else their share") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    INFO("seed " << seed);
    const auto random = seeded_random(seed);
    FairAccount account(896);
    Holder holder{account, {}};
    std::uint64_t connection = 0;
    const auto attack = [&](int times) {
      for (int i = 0; i < times; ++i) {
        const SocketAddress address = v6(static_cast<int>(random->below(16)), static_cast<int>(random->below(1000)));
        holder.take(RemoteKey::of(address, id_of(random->below(10'000)), false, ++connection), 1 + random->below(4));
      }
    };
    attack(3000);
    CHECK(account.used() > 890);
    // 17 groups of strangers and one known peer in a network of the attacker.
    const RemoteKey honest = RemoteKey::of(v4(7), id_of(20'000), false, 1'000'000);
    const RemoteKey known = RemoteKey::of(v6(3, 5), id_of(20'001), true, 1'000'001);
    const std::uint64_t share = 896 / 18;
    for (std::uint64_t i = 0; i < share; ++i) {
      CHECK(holder.take(honest, 1));
      CHECK(holder.take(known, 1));
      attack(20);
    }
    attack(3000);
    CHECK(account.used_by(honest.group) >= share);
    CHECK(account.used_by(known.group) >= share);
    CHECK(account.used() <= 896);
    holder.charges.clear();
    CHECK(account.used() == 0);
  }
}

TEST_CASE("Within a network, a host that holds little takes from one that holds much") {
  FairAccount account(100);
  Holder holder{account, {}};
  for (std::uint64_t i = 0; i < 100; ++i) CHECK(holder.take(RemoteKey::of(v6(1, 1), id_of(i), false, i), 1));
  const RemoteKey neighbour = RemoteKey::of(v6(1, 2), {}, false, 1000);
  for (int i = 0; i < 50; ++i) CHECK(holder.take(neighbour, 1));
  CHECK(!holder.take(neighbour, 1));
  // Within a host, the same for its connections.
  CHECK(!holder.take(RemoteKey::of(v6(1, 1), {}, false, 1), 1));
  CHECK(holder.take(RemoteKey::of(v6(1, 2), {}, false, 1001), 25));
}

TEST_CASE("A moved charge counts for its new group") {
  FairAccount account(10);
  auto charge = account.charge(RemoteKey::of(v4(1), {}, false, 1), 4);
  REQUIRE(charge);
  const RemoteKey to = RemoteKey::of(v4(1), id_of(1), true, 1);
  account.move(*charge, to);
  CHECK(account.used_by(ShareKey::network(v4(1))) == 0);
  CHECK(account.used_by(to.group) == 4);
  charge->reset();
  CHECK(account.used() == 0);
}

TEST_CASE("A group's rate is kept while another group uses everything that is shared") {
  FairRate rate({10, 10}, {100, 100});
  runtime::TimePoint now{};
  const ShareKey busy = ShareKey::network(v4(1));
  const ShareKey honest = ShareKey::network(v4(2));
  int granted = 0;
  while (rate.try_consume(busy, now)) ++granted;
  CHECK(granted == 110);  // its own tokens and the shared ones
  for (int second = 0; second < 10; ++second) {
    int mine = 0;
    for (int i = 0; i < 1000; ++i) static_cast<void>(rate.try_consume(busy, now));
    while (rate.try_consume(honest, now)) ++mine;
    CHECK(mine == 10);
    now += 1s;
  }
}

TEST_CASE("The groups of a rate are bounded, and those that idle are forgotten") {
  FairRate rate({1, 1}, {0, 0});
  runtime::TimePoint now{};
  int granted = 0;
  for (int i = 0; i < 5000; ++i) granted += rate.try_consume(ShareKey::network(v6(i, 1)), now) ? 1 : 0;
  CHECK(granted == static_cast<int>(kRateGroups) + 1);
  CHECK(rate.groups() <= kRateGroups + 1);
  now += 2s;
  CHECK(rate.try_consume(ShareKey::network(v4(1)), now));
  CHECK(rate.groups() <= 2);
}
