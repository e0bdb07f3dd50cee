#include <catch2/catch_test_macros.hpp>

#include "libpeer/staging/trash.h"
#include "support/run_task.h"
#include "support/store/memory_disk.h"

using namespace peer;
using namespace std::chrono_literals;

namespace {

runtime::Task<void> empty_on_worker(test::MemoryDisk& disk, runtime::Workers& workers,
                                    runtime::CancellationToken token) {
  const auto job = [&disk](const runtime::StopFlag& stop) { return staging::empty_trash(disk, "/r", stop); };
  static_cast<void>(co_await runtime::offload(workers, job, token));
}

}  // namespace

TEST_CASE("trash: a stop ends the deletion between two entries, and the next start continues it") {
  runtime::ManualExecutor executor;
  runtime::ManualWorkers workers(executor, 1, 1ms);
  test::MemoryDisk disk;
  for (int i = 0; i < 10; ++i) disk.write("/r/.peerd/trash/1/deep/f" + std::to_string(i), "content");
  runtime::CancellationSource stop;
  std::size_t removed = 0;
  disk.on_call([&](std::string_view operation, const std::string&, std::uint64_t) {
    if (operation == "remove_file" && ++removed == 3) stop.request();
    return 0;
  });
  test::run_task(executor, empty_on_worker(disk, workers, stop.token()));
  CHECK(removed == 3);
  CHECK(disk.tree("/r/.peerd/trash/1/deep").size() == 7);
  test::run_task(executor, empty_on_worker(disk, workers, runtime::CancellationToken()));
  CHECK(disk.tree("/r/.peerd/trash").empty());
}
