// ServiceFaults: the test hooks of test builds: services that fail on command, and corrupted bytes.
//
// A release build does not link it: its implementation exists in test builds only.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "libpeer/api/test_hooks.h"
#include "libpeer/runtime/event.h"

namespace peer::node {

class ServiceFaults final : public api::TestHooks {
 public:
  using Tamper = std::function<void(std::span<std::uint8_t>)>;
  /// A service that hangs ends when `end_of_hang` is set; null: never.
  explicit ServiceFaults(Tamper tamper, runtime::Event* end_of_hang = nullptr)
      : tamper_(std::move(tamper)), end_of_hang_(end_of_hang) {}

  runtime::Task<void> run_service(std::string name, runtime::Service service,
                                  runtime::CancellationToken token) override;
  /// A name that is a fault point (libpeer/base/fault.h) arms that point instead.
  Result<bool> fail_service(const api::FailService& command) override;
  void tamper(std::span<std::uint8_t> bytes) override {
    if (tamper_) tamper_(bytes);
  }

 private:
  struct RunningService {
    runtime::CancellationSource* stop = nullptr;  ///< of the current run; null between runs
    std::optional<api::ServiceFault> how;
  };

  Tamper tamper_;
  runtime::Event* end_of_hang_;
  std::map<std::string, RunningService> services_;
};

}  // namespace peer::node
