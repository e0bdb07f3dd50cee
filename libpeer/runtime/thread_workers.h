// ThreadWorkers: a fixed pool of threads in front of one queue.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "libpeer/runtime/workers.h"

namespace peer::runtime {

class ThreadWorkers final : public Workers {
 public:
  /// Threads are named `name` (15 bytes show in ps).
  ThreadWorkers(std::string name, unsigned threads);
  /// Runs what is queued, then joins.
  ~ThreadWorkers() override;
  void submit(Job job) override;
  /// Jobs that have ended. Any thread.
  std::uint64_t done() const noexcept { return done_; }

 private:
  void work() noexcept;
  void end() noexcept;
  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<Job> jobs_;
  bool closing_ = false;
  std::atomic<std::uint64_t> done_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace peer::runtime
