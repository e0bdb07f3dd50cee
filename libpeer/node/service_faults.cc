#include "libpeer/node/service_faults.h"

#if PEERD_TEST_HOOKS

#include <stdexcept>
#include <utility>

#include "libpeer/base/fault.h"
#include "libpeer/protocol/path.h"

namespace peer::node {

runtime::Task<void> ServiceFaults::run_service(std::string name, runtime::Service service,
                                               runtime::CancellationToken token) {
  RunningService& running = services_[name];
  runtime::CancellationSource stop(token);
  running.stop = &stop;
  running.how.reset();
  std::exception_ptr error;
  try {
    runtime::Task<void> run = service(stop.token());
    co_await run;
  } catch (const runtime::Cancelled&) {
    if (token.requested() || !stop.token().requested()) error = std::current_exception();
  } catch (...) {
    error = std::current_exception();
  }
  running.stop = nullptr;
  if (error) std::rethrow_exception(error);
  if (!running.how || *running.how == api::ServiceFault::ends) co_return;
  if (*running.how == api::ServiceFault::throws) throw std::runtime_error("told to fail");
  runtime::Event never;
  runtime::Event& end = end_of_hang_ != nullptr ? *end_of_hang_ : never;
  co_await end.wait(runtime::CancellationToken());
}

Result<bool> ServiceFaults::fail_service(const api::FailService& command) {
  const auto found = services_.find(command.service);
  if (found == services_.end()) {
    if (command.how == api::ServiceFault::throws && fault::arm(command.service)) return true;
    std::string known;
    for (const auto& [name, running] : services_) known += (known.empty() ? "" : ", ") + name;
    return fail(ErrorCode::invalid, "there is no service \"" + protocol::printable(command.service) +
                                        "\"; services: " + known + "; fault points: " + fault::names());
  }
  if (found->second.stop == nullptr) return fail(ErrorCode::busy, command.service + " is not running");
  found->second.how = command.how;
  found->second.stop->request();
  return true;
}

}  // namespace peer::node

#endif
