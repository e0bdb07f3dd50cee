// The two loops that the contract tests run over.
#pragma once

#include <chrono>

#include "libpeer/runtime/manual_executor.h"
#include "libpeer/runtime/thread_workers.h"
#include "libpeer/runtime/uv_executor.h"
#include "support/run_task.h"

namespace peer::test {

struct OnManual {
  rt::ManualExecutor executor;
  rt::ManualWorkers workers{executor, 1, std::chrono::milliseconds(1)};
  void run(rt::Task<void> task) { run_task(executor, std::move(task)); }
  void close() { executor.close(); }
};

struct OnUv {
  rt::UvExecutor executor;
  rt::ThreadWorkers workers{"workers", 2};
  void run(rt::Task<void> task) { executor.run(std::move(task)); }
  void close() {}  // run() has closed it
};

}  // namespace peer::test
