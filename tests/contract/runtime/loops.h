// The two loops that the contract tests run over.
#pragma once

#include <chrono>

#include "libpeer/runtime/manual_executor.h"
#include "libpeer/runtime/thread_workers.h"
#include "libpeer/runtime/uv_executor.h"
#include "support/run_task.h"

namespace peer::test {

struct OnManual {
  runtime::ManualExecutor executor;
  runtime::ManualWorkers workers{executor, 1, std::chrono::milliseconds(1)};
  void run(runtime::Task<void> task) { run_task(executor, std::move(task)); }
  void close() { executor.close(); }
};

struct OnUv {
  runtime::UvExecutor executor;
  runtime::ThreadWorkers workers{"workers", 2};
  void run(runtime::Task<void> task) { executor.run(std::move(task)); }
  void close() {}  // run() closes the loop
};

}  // namespace peer::test
