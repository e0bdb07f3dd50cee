#include "daemon/machine_findings.h"

#include <sys/timex.h>
#include <unistd.h>

#include "daemon/config/keys.h"

namespace peer::daemon {
namespace {

using Verdict = api::FindingVerdict;

api::Finding configuration_finding(const DaemonOptions& options) {
  const auto config = effective_config(options.config_file, options.arguments);
  const Result<void> good = config ? check_config(*config) : std::unexpected(config.error());
  if (!good) {
    return {Verdict::bad, "configuration", good.error().message,
            "correct the configuration, then: systemctl reload peerd"};
  }
  if (!config->without_effect.empty()) {
    return {Verdict::warning, "configuration",
            options.config_file + ": no effect in this version: " + comma_list(config->without_effect),
            "remove these keys from the file"};
  }
  const bool exists = ::access(options.config_file.c_str(), F_OK) == 0;
  return {Verdict::good, "configuration",
          exists ? options.config_file + " is good" : "no file at " + options.config_file + ", only flags", ""};
}

}  // namespace

std::vector<api::Finding> machine_findings(const DaemonOptions& options) {
  std::vector<api::Finding> findings{configuration_finding(options)};
  timex clock{};
  // A container may forbid adjtimex(); the state of the clock is unknown then.
  if (adjtimex(&clock) >= 0 && (clock.status & STA_UNSYNC) != 0) {
    findings.push_back({Verdict::good, "time service",
                        "the clock is not synchronized, and versions are compared by file times",
                        "if the clocks of your machines differ: systemctl enable --now systemd-timesyncd"});
  }
  return findings;
}

}  // namespace peer::daemon
