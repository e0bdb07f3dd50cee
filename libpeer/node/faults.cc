// Test builds: services that fail on command.
#include "libpeer/node/runtime_state.h"

#if PEERD_TEST_HOOKS

#include <stdexcept>
#include <utility>

#include "libpeer/base/fault.h"
#include "libpeer/protocol/path.h"

namespace peer::node {

/// Runs the service; told to fail, stops it first and then does what a failing one would do.
runtime::Task<void> PeerMain::run_failing(std::string name, runtime::Service service,
                                          runtime::CancellationToken token) {
  Fault& fault = faults_[name];
  runtime::CancellationSource stop(token);
  fault.stop = &stop;
  fault.how.reset();
  std::exception_ptr error;
  try {
    runtime::Task<void> run = service(stop.token());
    co_await run;
  } catch (const runtime::Cancelled&) {
    if (token.requested() || !stop.token().requested()) error = std::current_exception();
  } catch (...) {
    error = std::current_exception();
  }
  fault.stop = nullptr;
  if (error) std::rethrow_exception(error);
  if (!fault.how || *fault.how == api::ServiceFault::ends) co_return;
  if (*fault.how == api::ServiceFault::throws) throw std::runtime_error("told to fail");
  runtime::Event never;
  runtime::Event& end = options_.end_of_hang != nullptr ? *options_.end_of_hang : never;
  co_await end.wait(runtime::CancellationToken());
}

Result<bool> PeerMain::fail_service(const api::FailService& command) {
  const auto found = faults_.find(command.service);
  if (found == faults_.end()) {
    if (command.how == api::ServiceFault::throws && fault::arm(command.service)) return true;
    std::string known;
    for (const auto& [name, fault] : faults_) known += (known.empty() ? "" : ", ") + name;
    return fail(ErrorCode::invalid, "there is no service " + protocol::printable(command.service) +
                                        ": these can fail: " + known + "; and these can throw once: " + fault::names());
  }
  if (found->second.stop == nullptr) return fail(ErrorCode::busy, command.service + " is not running now");
  found->second.how = command.how;
  found->second.stop->request();
  return true;
}

}  // namespace peer::node

#endif
