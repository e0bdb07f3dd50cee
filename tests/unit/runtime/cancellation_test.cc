#include "libpeer/runtime/cancellation.h"

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <optional>
#include <vector>

using namespace peer::runtime;

TEST_CASE("A default token is never requested") {
  const CancellationToken token;
  CHECK_FALSE(token.requested());
  token.throw_if_requested();
  bool ran = false;
  {
    const CancelHook hook(token, [&ran] { ran = true; });
  }
  CHECK_FALSE(ran);
}

TEST_CASE("A request reaches the sources below and none above") {
  CancellationSource root;
  CancellationSource middle(root.token());
  CancellationSource leaf(middle.token());
  middle.request();
  CHECK_FALSE(root.token().requested());
  CHECK(middle.token().requested());
  CHECK(leaf.token().requested());
  CHECK_THROWS_AS(leaf.token().throw_if_requested(), Cancelled);
  const CancellationSource late(leaf.token());
  CHECK(late.token().requested());
}

TEST_CASE("Hooks run once, in order of registration") {
  CancellationSource source;
  std::vector<int> order;
  const CancelHook a(source.token(), [&order] { order.push_back(1); });
  const CancelHook b(source.token(), [&order] { order.push_back(2); });
  source.request();
  source.request();
  const CancelHook late(source.token(), [&order] { order.push_back(3); });
  CHECK(order == std::vector{1, 2, 3});
}

TEST_CASE("A destroyed hook does not run") {
  CancellationSource source;
  bool ran = false;
  {
    const CancelHook hook(source.token(), [&ran] { ran = true; });
  }
  source.request();
  CHECK_FALSE(ran);
}

TEST_CASE("A hook may destroy itself, its siblings and its source") {
  auto source = std::make_unique<CancellationSource>();
  auto below = std::make_unique<CancellationSource>(source->token());
  std::optional<CancelHook> first;
  std::optional<CancelHook> second;
  int runs = 0;
  auto fn = [&] {
    ++runs;
    second.reset();
    below.reset();
    source.reset();
    first.reset();
  };
  first.emplace(source->token(), fn);
  second.emplace(source->token(), [&runs] { runs += 100; });
  source->request();
  CHECK(runs == 1);
}

TEST_CASE("A token outlives its source") {
  CancellationToken token;
  {
    CancellationSource source;
    token = source.token();
    source.request();
  }
  CHECK(token.requested());
}
