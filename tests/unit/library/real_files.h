// Helpers for tests on a real disk and a real loop.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "libpeer/runtime/executor.h"
#include "libpeer/runtime/sleep.h"

namespace peer::library {

inline void write(const std::filesystem::path& path, const std::string& content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << content;
}

/// Waits until `holds` returns true. The test fails if that takes too long.
inline runtime::Task<void> until(runtime::Executor& executor, std::function<bool()> holds) {
  for (int i = 0; i < 6000 && !holds(); ++i)
    co_await runtime::sleep_for(executor, std::chrono::milliseconds(5), runtime::CancellationToken());
  CHECK(holds());
}

}  // namespace peer::library
