#include "libpeer/runtime/supervisor.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "libpeer/runtime/sleep.h"

namespace peer::runtime {

namespace {

void report(const ExitObserver& observer, const ServiceExit& exit) noexcept {
  if (!observer) return;
  try {
    observer(exit);
  } catch (...) {  // the policy applies whether or not the observer fails
  }
}

// Runs the service once. Returns its exception, or null if it returned or was cancelled.
Task<std::exception_ptr> run_once(const std::string& name, const Service& service, CancellationToken token) {
  std::exception_ptr error;
  try {
    Task<void> run = service(token);
    co_await run;
  } catch (const Cancelled&) {
    if (!token.requested()) error = std::make_exception_ptr(std::logic_error(name + ": stray cancellation"));
  } catch (...) {
    error = std::current_exception();
  }
  co_return error;
}

Task<void> supervise(Executor& executor, std::string name, Service service, Policy policy, ExitObserver on_exit,
                     CancellationToken token) {
  for (;;) {
    Task<std::exception_ptr> run = run_once(name, service, token);
    const std::exception_ptr error = co_await run;
    const bool stopping = token.requested();
    if (error || !stopping) report(on_exit, ServiceExit{name, error, stopping});
    // Checked again: the observer may have cancelled the scope.
    if (stopping || token.requested() || std::holds_alternative<BestEffort>(policy)) co_return;
    if (const Restart* restart = std::get_if<Restart>(&policy)) {
      const Duration delay = std::max(restart->delay, kMinimumRestartDelay);
      co_await sleep_for(executor, delay, token);
      continue;
    }
    if (error) std::rethrow_exception(error);
    throw std::runtime_error(name + ": a required service ended");
  }
}

}  // namespace

void spawn_supervised(Scope& scope, std::string name, Service service, Policy policy, ExitObserver on_exit) {
  Task<void> task = supervise(scope.executor(), name, std::move(service), policy, std::move(on_exit), scope.token());
  scope.spawn(std::move(name), std::move(task));
}

}  // namespace peer::runtime
