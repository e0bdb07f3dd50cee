// Test builds: services that fail on command.
#include "libpeer/node/runtime_state.h"

#if PEERD_TEST_HOOKS

#include <stdexcept>
#include <utility>

#include "libpeer/base/fault.h"
#include "libpeer/protocol/path.h"

namespace peer::node {

/// Runs the service; told to fail, stops it first and then does what a failing one would do.
rt::Task<void> PeerMain::run_failing(std::string name, rt::Service service, rt::CancellationToken token) {
  Fault& fault = faults_[name];
  rt::CancellationSource stop(token);
  fault.stop = &stop;
  fault.how.reset();
  std::exception_ptr error;
  try {
    rt::Task<void> run = service(stop.token());
    co_await run;
  } catch (const rt::Cancelled&) {
    if (token.requested() || !stop.token().requested()) error = std::current_exception();
  } catch (...) {
    error = std::current_exception();
  }
  fault.stop = nullptr;
  if (error) std::rethrow_exception(error);
  if (!fault.how || *fault.how == ServiceFault::ends) co_return;
  if (*fault.how == ServiceFault::throws) throw std::runtime_error("told to fail");
  rt::Event never;
  rt::Event& end = options_.end_of_hang != nullptr ? *options_.end_of_hang : never;
  co_await end.wait(rt::CancellationToken());
}

Result<bool> PeerMain::fail_service(const FailService& command) {
  const auto found = faults_.find(command.service);
  if (found == faults_.end()) {
    if (command.how == ServiceFault::throws && fault::arm(command.service)) return true;
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
