#include "libpeer/access/kept_list.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "libpeer/base/log.h"
#include "libpeer/runtime/manual_executor.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/store/store.h"
#include "support/run_task.h"

using namespace peer;
using namespace peer::access;
using namespace std::chrono_literals;

namespace {

/// A KeptList with a real store, whose writes can be made to fail.
struct Fixture {
  static inline bool disk_works = true;
  static inline int writes = 0;

  runtime::ManualExecutor executor;
  runtime::ManualWorkers workers{executor, 1, 0s};
  std::unique_ptr<store::Store> store = std::move(*store::open_sqlite_store(":memory:", Log()));
  access::KeptList<std::string> list{*store, workers, put, remove};

  Fixture() {
    disk_works = true;
    writes = 0;
  }
  static Result<void> put(store::Store& store, const PeerId& id, const std::string& name) {
    ++writes;
    if (!disk_works) return fail(ErrorCode::disk_error, "the disk is read-only");
    return store.put_pairing({id, name});
  }
  static Result<void> remove(store::Store& store, const PeerId& id) {
    ++writes;
    if (!disk_works) return fail(ErrorCode::disk_error, "the disk is read-only");
    return store.remove_pairing(id);
  }
  Result<void> save(std::map<PeerId, std::string> now) { return test::run_task(executor, list.save(std::move(now))); }
  std::map<PeerId, std::string> stored() const {
    std::map<PeerId, std::string> all;
    const auto pairings = store->pairings();
    for (const store::StoredPairing& each : *pairings) all.emplace(each.peer, each.name);
    return all;
  }
};

PeerId id(unsigned char number) {
  PeerId peer;
  peer.bytes.fill(number);
  return peer;
}

}  // namespace

TEST_CASE("kept list: only changes are written") {
  Fixture fixture;
  const std::map<PeerId, std::string> both{{id(1), "one"}, {id(2), "two"}};
  REQUIRE(fixture.save(both));
  CHECK(fixture.stored() == both);
  CHECK(Fixture::writes == 2);
  REQUIRE(fixture.save({{id(2), "zwei"}}));
  CHECK(fixture.stored() == std::map<PeerId, std::string>{{id(2), "zwei"}});
  CHECK(Fixture::writes == 4);
  REQUIRE(fixture.save({{id(2), "zwei"}}));
  CHECK(Fixture::writes == 4);
}

TEST_CASE("kept list: entries that the store already has are not written again") {
  Fixture fixture;
  fixture.list.restore({{id(1), "one"}});
  REQUIRE(fixture.save({{id(1), "one"}}));
  CHECK(Fixture::writes == 0);
  REQUIRE(fixture.save({}));
  CHECK(Fixture::writes == 1);
}

TEST_CASE("kept list: a failed write is reported, and repeated with the next change") {
  Fixture fixture;
  Fixture::disk_works = false;
  const Result<void> failed = fixture.save({{id(1), "one"}});
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == ErrorCode::disk_error);
  CHECK(failed.error().message.contains("could not be saved"));
  CHECK(failed.error().message.contains("read-only"));
  Fixture::disk_works = true;
  REQUIRE(fixture.save({{id(1), "one"}, {id(2), "two"}}));
  CHECK(fixture.stored().size() == 2);
}

TEST_CASE("kept list: if two saves overlap, the later one counts") {
  Fixture fixture;
  runtime::Scope scope(fixture.executor, "scope", runtime::CancellationToken{});
  const auto save = [](Fixture& on, std::map<PeerId, std::string> now) -> runtime::Task<void> {
    const Result<void> saved = co_await on.list.save(std::move(now));
    CHECK(saved);
  };
  scope.spawn("first", save(fixture, {{id(1), "one"}}));
  scope.spawn("second", save(fixture, {{id(2), "two"}}));
  test::run_task(fixture.executor, scope.join());
  REQUIRE(fixture.save({{id(2), "two"}}));
  CHECK(fixture.stored() == std::map<PeerId, std::string>{{id(2), "two"}});
}
