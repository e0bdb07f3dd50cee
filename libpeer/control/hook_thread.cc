#include "libpeer/control/hook_thread.h"

#include <csignal>
#include <utility>

#include "libpeer/base/fault.h"

namespace peer::control {

HookThread::HookThread(Log log) : log_(std::move(log)) {
  thread_.executor().post([this] {
    for (HookQueue* queue : {&games_, &peers_, &services_}) {
      thread_.scope().spawn("hooks", serve(*queue, thread_.scope().token()));
    }
  });
}

HookThread::~HookThread() {
  for (HookQueue* queue : {&games_, &peers_, &services_}) queue->orders.close();
  thread_.stop();
}

bool HookThread::enqueue(HookSubject subject, HookOrder order) {
  HookQueue& queue = subject == HookSubject::peers ? peers_ : subject == HookSubject::services ? services_ : games_;
  return queue.orders.sender().try_send(std::move(order));
}

void HookThread::start_now(HookOrder order) {
  thread_.executor().post([this, order = std::move(order)] {
    thread_.scope().spawn("hook " + order.run.hook, run(order, {}, runtime::CancellationToken{}));
  });
}

void HookThread::stop() {
  thread_.executor().post([this] { thread_.scope().request_stop(); });
}

runtime::Task<void> HookThread::serve(HookQueue& queue, runtime::CancellationToken token) {
  while (!token.requested()) {
    runtime::SemaphoreUnits place = co_await queue.places.acquire(1, token);
    auto order = co_await queue.orders.receive(token);
    if (!order) co_return;
    const std::string name = "hook " + order->run.hook;
    thread_.scope().spawn(name, run(std::move(*order), std::move(place), token));
  }
}

/// Runs one program to its end, and occupies one of the kRunning places until then. An exception ends only this
/// program.
runtime::Task<void> HookThread::run(HookOrder order, runtime::SemaphoreUnits, runtime::CancellationToken token) {
  HookProcess process(thread_.uv());
  std::string failure;
  try {
    co_await start_and_wait(process, order, token);
  } catch (const std::exception& e) {
    failure = e.what();
  }
  if (!failure.empty()) {
    log_.error("hook " + order.run.hook + " failed: " + failure);
    if (!process.has_ended()) co_await process.terminate(thread_.executor(), order.term_grace);
  }
  co_await process.close();
}

runtime::Task<void> HookThread::start_and_wait(HookProcess& process, const HookOrder& order,
                                               runtime::CancellationToken token) {
  const std::string what = "hook " + order.run.hook + " (" + order.run.command.front() + ")";
  if (auto started = process.start(order.run); !started) {
    log_.warn("hook " + order.run.hook + ": " + started.error().message);
    co_return;
  }
  PEER_FAULT_POINT("hook");
  const HookEnd end = co_await process.wait_or_terminate(thread_.executor(), order.timeout, order.term_grace, token);
  if (end == HookEnd::cancelled) {
    log_.warn(what + " terminated: the daemon is stopping");
  } else if (end == HookEnd::timed_out) {
    log_.warn(what + " terminated: it ran for " + std::to_string(order.timeout / std::chrono::milliseconds(1)) + " ms");
  } else if (const std::string failure = process.failure(); !failure.empty()) {
    log_.warn(what + ": " + failure);
  }
  process.send_signal(SIGKILL);  // ends what the program left running in its process group
}

}  // namespace peer::control
