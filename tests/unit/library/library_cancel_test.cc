// Stops the library after every single step: no task, timer or open file may remain, and no wrong hash in the cache.
#include "fixture.h"

namespace peer::library {
namespace {

void fill(Machine& machine) {
  machine.disk.write("/games/a/f", std::string(100'000, 'a'));
  machine.disk.write("/games/a/d/g", std::string(3000, 'b'));
  machine.disk.write("/games/b/f", "b");
  machine.disk.make_directories("/games/c/empty");
  machine.disk.write("/games/d/x\\y", "unshareable");
}

Digest right_version() {
  Machine machine;
  fill(machine);
  Life life(machine);
  life.start_and_run(1s);
  return life.version("a");
}

/// Runs that many steps. Returns false if there was nothing left to run before.
bool run_steps(runtime::ManualExecutor& executor, std::size_t steps, runtime::TimePoint until) {
  for (std::size_t i = 0; i < steps;) {
    if (executor.step()) {
      ++i;
    } else if (executor.now() >= until || !executor.advance_to_next_timer()) {
      return false;
    }
  }
  return true;
}

}  // namespace

TEST_CASE("library: the first scan can be cancelled at every step") {
  const Digest version = right_version();
  bool more = true;
  for (std::size_t steps = 0; more; ++steps) {
    Machine machine;
    fill(machine);
    {
      Life life(machine);
      life.start();
      more = run_steps(machine.executor, steps, runtime::TimePoint(1s));
      life.stop();
      CHECK(life.scope.size() == 0);
      CHECK(machine.workers.outstanding() == 0);
    }
    Life next(machine);
    next.start_and_run(1s);
    REQUIRE(next.version("a") == version);
  }
}

TEST_CASE("library: a rescan and an adoption can be cancelled at every step") {
  const Digest version = right_version();
  bool more = true;
  for (std::size_t steps = 0; more; ++steps) {
    Machine machine;
    fill(machine);
    Life life(machine);
    life.start_and_run(1s);
    const protocol::ManifestDocument document = *life.game("a")->offered->document;
    const auto rescan = [](Library& library, runtime::CancellationToken token) -> runtime::Task<void> {
      static_cast<void>(co_await library.rescan(std::nullopt, token));
    };
    const auto adopt = [](Library& library, protocol::ManifestDocument adopted,
                          runtime::CancellationToken token) -> runtime::Task<void> {
      static_cast<void>(co_await library.adopt("a", std::move(adopted), token));
    };
    life.library->withdraw("a");
    runtime::Scope calls(life.scope, "calls");
    calls.spawn("rescan", rescan(*life.library, calls.token()));
    calls.spawn("adopt", adopt(*life.library, document, calls.token()));
    more = run_steps(machine.executor, steps, runtime::TimePoint(2s));
    calls.request_stop();
    test::run_sync(machine.executor, calls.join());
    machine.executor.advance(1s);  // the service continues
    REQUIRE(life.state("a") == GameState::ready);
    REQUIRE(life.version("a") == version);
  }
}

TEST_CASE("library: a disk error at any call of the first scan offers no wrong version") {
  const Digest version = right_version();
  for (std::uint64_t bad = 0;; ++bad) {
    Machine machine;
    fill(machine);
    const std::uint64_t first = machine.disk.calls();
    machine.disk.on_call(
        [&](std::string_view, const std::string&, std::uint64_t call) { return call == first + bad ? EIO : 0; });
    Life life(machine);
    life.start_and_run(1s);
    const bool reached = machine.disk.calls() > first + bad;
    machine.disk.on_call(nullptr);
    if (const auto game = life.game("a"); game && game->offered) CHECK(game->offered->version == version);
    machine.executor.advance(6min);
    REQUIRE(life.version("a") == version);
    if (!reached) break;
  }
}

}  // namespace peer::library
