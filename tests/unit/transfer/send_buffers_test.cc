#include "libpeer/transfer/send_buffers.h"

#include <catch2/catch_test_macros.hpp>

#include "libpeer/runtime/manual_executor.h"
#include "support/run_task.h"

using namespace peer;

namespace {
runtime::Task<void> outlive(net::SharedBytes& kept) {
  transfer::SendBuffers buffers(transfer::SendBuffers::kBatchBytes);
  const runtime::CancellationToken never;
  kept = co_await buffers.take(transfer::SendBuffers::kBatchBytes, never);
  CHECK(buffers.used() == transfer::SendBuffers::kBatchBytes);
}
}  // namespace

TEST_CASE("What was sent may outlive the buffers it came from", "[budget]") {
  runtime::ManualExecutor executor;
  net::SharedBytes kept;
  test::run_task(executor, outlive(kept));
  CHECK(kept->size() == transfer::SendBuffers::kBatchBytes);
  kept.reset();
}
