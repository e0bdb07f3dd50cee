// ThreadWorkers: a fixed pool of threads that run jobs from one queue.
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
  /// Starts the threads. Their name is `name`, of which ps shows 15 bytes.
  ThreadWorkers(std::string name, unsigned threads);
  /// Runs the queued jobs, then joins the threads.
  ~ThreadWorkers() override;
  void submit(Job job) override;
  /// Number of jobs that have ended. Loop: any thread.
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
