#include "libpeer/runtime/thread_workers.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/runtime/executor.h"

namespace peer::runtime {

ThreadWorkers::ThreadWorkers(std::string name, unsigned threads) {
  PEER_CHECK(threads > 0);
  name.resize(std::min<std::size_t>(name.size(), 15));
  threads_.reserve(threads);
  try {
    while (threads_.size() < threads) {
      std::thread& thread = threads_.emplace_back([this] { work(); });
      pthread_setname_np(thread.native_handle(), name.c_str());
    }
  } catch (...) {
    end();
    throw;
  }
}

ThreadWorkers::~ThreadWorkers() { end(); }

void ThreadWorkers::end() noexcept {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  filled_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadWorkers::submit(Job job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  filled_.notify_one();
}

void ThreadWorkers::work() noexcept {
  for (;;) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      filled_.wait(lock, [this] { return closing_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    detail::call(job, "worker");
    ++done_;
  }
}

}  // namespace peer::runtime
