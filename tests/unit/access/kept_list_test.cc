#include "libpeer/access/kept_list.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "libpeer/base/log.h"
#include "libpeer/runtime/manual_executor.h"
#include "libpeer/store/store.h"
#include "support/run_task.h"

using namespace peer;
using namespace peer::access;
using namespace std::chrono_literals;

namespace {

/// What the list writes goes to a real store, as long as the disk works.
struct Bench {
  static inline bool disk_works = true;
  static inline int writes = 0;

  runtime::ManualExecutor executor;
  runtime::ManualWorkers workers{executor, 1, 0s};
  std::unique_ptr<store::Store> store = std::move(*store::open_sqlite_store(":memory:", Log()));
  access::KeptList<std::string> list{*store, workers, put, remove};

  Bench() {
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

TEST_CASE("kept list: what has changed is written, and nothing else") {
  Bench bench;
  const std::map<PeerId, std::string> both{{id(1), "one"}, {id(2), "two"}};
  REQUIRE(bench.save(both));
  CHECK(bench.stored() == both);
  CHECK(Bench::writes == 2);
  REQUIRE(bench.save({{id(2), "zwei"}}));
  CHECK(bench.stored() == std::map<PeerId, std::string>{{id(2), "zwei"}});
  CHECK(Bench::writes == 4);
  REQUIRE(bench.save({{id(2), "zwei"}}));
  CHECK(Bench::writes == 4);
}

TEST_CASE("kept list: what the store has already is not written again") {
  Bench bench;
  bench.list.restore({{id(1), "one"}});
  REQUIRE(bench.save({{id(1), "one"}}));
  CHECK(Bench::writes == 0);
  REQUIRE(bench.save({}));
  CHECK(Bench::writes == 1);
}

TEST_CASE("kept list: what could not be written is told, and tried again with the next change") {
  Bench bench;
  Bench::disk_works = false;
  const Result<void> failed = bench.save({{id(1), "one"}});
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == ErrorCode::disk_error);
  CHECK(failed.error().message.contains("could not be saved"));
  CHECK(failed.error().message.contains("read-only"));
  Bench::disk_works = true;
  REQUIRE(bench.save({{id(1), "one"}, {id(2), "two"}}));
  CHECK(bench.stored().size() == 2);
}

TEST_CASE("kept list: of two that overlap the later one counts") {
  Bench bench;
  runtime::Scope scope(bench.executor, "scope", runtime::CancellationToken{});
  const auto save = [](Bench& on, std::map<PeerId, std::string> now) -> runtime::Task<void> {
    const Result<void> saved = co_await on.list.save(std::move(now));
    CHECK(saved);
  };
  scope.spawn("first", save(bench, {{id(1), "one"}}));
  scope.spawn("second", save(bench, {{id(2), "two"}}));
  test::run_task(bench.executor, scope.join());
  REQUIRE(bench.save({{id(2), "two"}}));
  CHECK(bench.stored() == std::map<PeerId, std::string>{{id(2), "two"}});
}
