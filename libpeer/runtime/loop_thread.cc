#include "libpeer/runtime/loop_thread.h"

#include <pthread.h>

#include <cstdio>
#include <cstdlib>
#include <latch>
#include <thread>
#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/runtime/event.h"

namespace peer::runtime {

struct LoopThread::ThreadState {
  explicit ThreadState(std::string loop_name)
      : name(std::move(loop_name)), scope(executor, name, CancellationToken{}) {}
  const std::string name;
  UvExecutor executor;
  Event stop;
  Scope scope;
  std::latch running{1};
  std::thread thread;

  // A task that fails ends the loop and then the program. call_on() passes its callees' failures to the callers, so a
  // failure that arrives here has no other receiver.
  static Task<void> main(ThreadState& state) {
    state.running.count_down();
    CancelHook failed(state.scope.token(), [&state] { state.stop.set(); });
    co_await state.stop.wait(CancellationToken{});
    state.scope.request_stop();
    co_await state.scope.join();
  }
  void run() noexcept {
    try {
      executor.run(main(*this));
    } catch (...) {
      std::fprintf(stderr, "fatal: a task of the loop '%s' failed: %s\n", name.c_str(),
                   describe(std::current_exception()).c_str());
      std::abort();
    }
  }
};

LoopThread::LoopThread(std::string name) : state_(std::make_unique<ThreadState>(std::move(name))) {
  state_->thread = std::thread([state = state_.get()] { state->run(); });
  pthread_setname_np(state_->thread.native_handle(), state_->name.substr(0, 15).c_str());
  state_->running.wait();
}

LoopThread::~LoopThread() { PEER_CHECK(!state_->thread.joinable()); }

Scope& LoopThread::scope() noexcept { return state_->scope; }
Executor& LoopThread::executor() noexcept { return state_->executor; }
uv_loop_t* LoopThread::uv() noexcept { return state_->executor.loop(); }

void LoopThread::stop() {
  if (!state_->thread.joinable()) return;
  PEER_CHECK(state_->thread.get_id() != std::this_thread::get_id());
  state_->executor.post([state = state_.get()] { state->stop.set(); });
  state_->thread.join();
}

}  // namespace peer::runtime
