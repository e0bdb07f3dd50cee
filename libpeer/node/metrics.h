// Metrics: a node's metrics in the Prometheus text format.
#pragma once

#include <string>
#include <vector>

#include "libpeer/api/answers.h"
#include "libpeer/node/counters.h"
#include "libpeer/node/net_loop.h"
#include "libpeer/node/node_status.h"

namespace peer::node {

/// Everything that the metrics are made of, at one moment.
struct MetricsSample {
  api::Status status;
  std::vector<api::DownloadInfo> downloads;
  NetStats network;
  Counters counters;
  api::Limits limits;
  std::uint64_t hashed_bytes = 0;
  double loop_delay_s = 0;  ///< for a message to the net loop and back
};

/// To add a metric: one line here. A counter that must be kept goes into Counters.
std::string metrics_text(const MetricsSample& sample);

/// Loop: control.
class Metrics {
 public:
  /// Everything must outlive it.
  Metrics(const NodeStatus& status, const library::Library& library, const downloads::Downloads& downloads,
          NetLoop& net, EventEmitter& events, runtime::Executor& executor)
      : status_(status), library_(library), downloads_(downloads), net_(net), events_(events), executor_(executor) {}

  /// Measures the delay of the loops with the call that reads the net loop's statistics.
  runtime::Task<Result<std::string>> measure() const;

 private:
  const NodeStatus& status_;
  const library::Library& library_;
  const downloads::Downloads& downloads_;
  NetLoop& net_;
  EventEmitter& events_;
  runtime::Executor& executor_;
};

}  // namespace peer::node
