// NodeStatus: the answer to GetStatus. Loop: control.
#pragma once

#include "libpeer/api/peer_options.h"
#include "libpeer/downloads/downloads.h"
#include "libpeer/library/library.h"
#include "libpeer/node/listener.h"
#include "libpeer/node/running_tasks.h"
#include "libpeer/node/services.h"
#include "libpeer/sessions/peers.h"

namespace peer::node {

class NodeStatus {
 public:
  /// Everything must outlive it.
  NodeStatus(const api::PeerOptions& options, const Listener& listener, const Services& services,
             const sessions::Peers& peers, const library::Library& library, const downloads::Downloads& downloads,
             RunningTasks tasks, runtime::TimePoint started);

  api::Status get() const;
  const RunningTasks& tasks() const noexcept { return tasks_; }

 private:
  const api::PeerOptions& options_;
  const Listener& listener_;
  const Services& services_;
  const sessions::Peers& peers_;
  const library::Library& library_;
  const downloads::Downloads& downloads_;
  RunningTasks tasks_;
  runtime::TimePoint started_;
};

}  // namespace peer::node
