#include "libpeer/node/node_status.h"

#include <chrono>

namespace peer::node {

NodeStatus::NodeStatus(const api::PeerOptions& options, const Listener& listener, const Services& services,
                       const sessions::Peers& peers, const library::Library& library,
                       const downloads::Downloads& downloads, RunningTasks tasks, runtime::TimePoint started)
    : options_(options),
      listener_(listener),
      services_(services),
      peers_(peers),
      library_(library),
      downloads_(downloads),
      tasks_(tasks),
      started_(started) {}

api::Status NodeStatus::get() const {
  const runtime::Executor& executor = options_.environment.control->executor();
  api::Status status;
  status.peer_id = options_.identity.id();
  status.name = options_.settings.name;
  status.access = options_.settings.access.mode;
  status.instance = options_.instance;
  status.uptime_s = std::chrono::duration<double>(executor.now() - started_).count();
  status.services = services_.list();
  if (listener_.is_present()) {
    status.listen.push_back(listener_.address());
  } else {
    status.services.front().problem = listener_.missing_text();
  }
  status.peers = peers_.table().connected();
  const auto snapshot = library_.snapshot();
  status.games = snapshot->summaries().size();
  status.downloads = downloads_.active();
  status.missing_roots = snapshot->missing_roots;
  status.tasks = tasks_.count();
  return status;
}

}  // namespace peer::node
