// RawPeer: a peer with an endpoint and one session, in which the test sends any message, valid or not.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libpeer/net/endpoint.h"
#include "libpeer/protocol/messages.h"
#include "libpeer/sessions/session_stream.h"
#include "support/node/sim_peer.h"

namespace peer::test {

class RawPeer {
 public:
  /// Dials `target` from `ip` and opens a session. The identity follows from `who`, or from `ip` if `who` is empty.
  RawPeer(SimWorld& world, const std::string& ip, const std::string& target, const std::string& who = "");
  ~RawPeer();

  /// Waits until the session is open.
  bool open();
  void send(protocol::SessionMessage message) { out_->send_urgent(std::move(message)); }
  /// A Hello that peers accept; the test may change it.
  protocol::Hello hello() const;
  /// Number of received messages of that type so far.
  template <class M>
  std::size_t count() const {
    std::size_t found = 0;
    for (const auto& message : received) found += std::holds_alternative<M>(message) ? 1 : 0;
    return found;
  }
  bool over() const noexcept { return over_; }

  std::vector<protocol::SessionMessage> received;

 private:
  runtime::Task<void> run_session(net::SocketAddress target);
  runtime::Task<void> collect();

  SimWorld& world_;
  net::Identity identity_;
  std::unique_ptr<Random> random_;
  runtime::CancellationSource stop_;
  runtime::CancellationSource endpoint_stop_;
  runtime::Scope tasks_;
  runtime::Scope endpoint_task_;
  runtime::Scope net_;
  net::Endpoint endpoint_;
  runtime::Channel<sessions::SessionReport> reports_;
  std::optional<runtime::Channel<protocol::SessionMessage>::Sender> out_;
  bool over_ = false;
};

}  // namespace peer::test
