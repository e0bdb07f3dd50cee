#include "libpeer/transfer/send_buffers.h"

#include <catch2/catch_test_macros.hpp>

#include "libpeer/runtime/manual_executor.h"
#include "support/run_task.h"

using namespace peer;

namespace {
runtime::Task<void> keep_buffer(net::SharedBytes& kept) {
  transfer::SendBuffers buffers(transfer::SendBuffers::kBatchBytes);
  const runtime::CancellationToken never;
  kept = co_await buffers.acquire(transfer::SendBuffers::kBatchBytes, never);
  CHECK(buffers.used() == transfer::SendBuffers::kBatchBytes);
}
}  // namespace

TEST_CASE("A buffer may outlive the SendBuffers that it came from", "[budget]") {
  runtime::ManualExecutor executor;
  net::SharedBytes kept;
  test::run_task(executor, keep_buffer(kept));
  CHECK(kept->size() == transfer::SendBuffers::kBatchBytes);
  kept.reset();
}
