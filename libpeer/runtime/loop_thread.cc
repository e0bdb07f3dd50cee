#include <pthread.h>

#include <cstdio>
#include <cstdlib>
#include <latch>
#include <thread>
#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/runtime/event.h"
#include "libpeer/runtime/uv_executor.h"

namespace peer::runtime {

struct LoopThread::Impl {
  explicit Impl(std::string loop_name) : name(std::move(loop_name)), scope(executor, name, CancellationToken{}) {}
  const std::string name;
  UvExecutor executor;
  Event stop;
  Scope scope;
  std::latch running{1};
  std::thread thread;

  // A task that fails ends the loop at once, and with it the program: call_on() hands its callees' failures to the
  // callers, so this one has nobody else to go to.
  static Task<void> main(Impl& impl) {
    impl.running.count_down();
    CancelHook failed(impl.scope.token(), [&impl] { impl.stop.set(); });
    co_await impl.stop.wait(CancellationToken{});
    impl.scope.request_stop();
    co_await impl.scope.join();
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

LoopThread::LoopThread(std::string name) : impl_(std::make_unique<Impl>(std::move(name))) {
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
  pthread_setname_np(impl_->thread.native_handle(), impl_->name.substr(0, 15).c_str());
  impl_->running.wait();
}

LoopThread::~LoopThread() { PEER_CHECK(!impl_->thread.joinable()); }

Scope& LoopThread::scope() noexcept { return impl_->scope; }
Executor& LoopThread::executor() noexcept { return impl_->executor; }
uv_loop_t* LoopThread::uv() noexcept { return impl_->executor.loop(); }

void LoopThread::stop() {
  if (!impl_->thread.joinable()) return;
  PEER_CHECK(impl_->thread.get_id() != std::this_thread::get_id());
  impl_->executor.post([impl = impl_.get()] { impl->stop.set(); });
  impl_->thread.join();
}

}  // namespace peer::runtime
