// QuicService: the endpoint with the tasks that serve requests on the net loop, and the required service QuicServer.
//
// The three run in scopes of their own: serving outlives the service, because sessions that peers opened live in it and
// still carry the goodbyes. Loop: control.
#pragma once

#include <string>

#include "libpeer/node/net_loop.h"
#include "libpeer/runtime/event.h"
#include "libpeer/sessions/session.h"

namespace peer::node {

class QuicService {
 public:
  explicit QuicService(NetLoop& net) : net_(net) {}

  /// The endpoint's task on the net loop, until cancelled. Its end ends the service.
  runtime::Task<void> run_endpoint(runtime::CancellationToken token);
  /// Serves requests on the net loop until cancelled. Its end ends the service.
  runtime::Task<void> run_serving(sessions::SessionContext sessions, runtime::CancellationToken token);
  /// The service QuicServer: accepts requests until cancelled. Fails: throws when the endpoint or serving has ended.
  runtime::Task<void> run(runtime::CancellationToken token);

 private:
  runtime::Task<void> run_on_net(std::string name, NetLoop::StateTask task, runtime::CancellationToken token);

  NetLoop& net_;
  runtime::Event network_ended_;
  std::string network_error_;
};

}  // namespace peer::node
