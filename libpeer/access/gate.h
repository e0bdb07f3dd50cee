// Gate: checks every connection against the access mode.
//
// Both sides check a connection once: the side that dialed it calls enter() before its first request, the other side
// calls admits() at every request. A peer that is not admitted gets the same answer to every request. The peer itself
// is always admitted; its sessions refuse a connection to itself with a better message. Loop: net.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>

#include "libpeer/access/access_mode.h"
#include "libpeer/access/party.h"
#include "libpeer/net/link.h"
#include "libpeer/runtime/executor.h"

namespace peer::access {

struct Access {
  AccessMode mode = AccessMode::open;
  std::optional<PartySecret> secret;  ///< set in party mode only
  /// Describes whether the key file still contains the secret. Called on a worker. Empty if there is no key file.
  std::function<Result<std::string>()> judge_key;
};

class Gate {
 public:
  Gate(runtime::Executor& executor, Access access, const PeerId& self);

  /// The peers that paired mode admits.
  void set_paired(std::set<PeerId> peers) { paired_ = std::move(peers); }

  /// For the side that dialed: checks the other peer, and in party mode proves that this peer knows the key. Fails:
  /// refused; unreachable if the other peer does not answer.
  runtime::Task<Result<void>> enter(net::Link& link, runtime::CancellationToken token);

  /// For the side that accepted the connection.
  bool admits(const net::ServerStream& stream) const;
  /// Serves POST /v1/proof. If the proof is correct, answers with this peer's proof and admits the connection.
  /// Otherwise returns false without answering.
  bool serve_proof(net::ServerStream& stream) const;

 private:
  runtime::Task<Result<void>> prove(net::Link& link, runtime::CancellationToken token);

  runtime::Executor& executor_;
  Access access_;
  PeerId self_;
  std::set<PeerId> paired_;
};

/// A transport that passes each dialed link through the gate.
class GatedTransport final : public net::Transport {
 public:
  /// Both must outlive it.
  GatedTransport(net::Transport& inner, Gate& gate) : inner_(inner), gate_(gate) {}
  net::SocketAddress local_address() const override { return inner_.local_address(); }
  runtime::Task<Result<std::unique_ptr<net::Link>>> dial(net::SocketAddress address, std::optional<PeerId> expected,
                                                         runtime::CancellationToken token) override;
  runtime::Task<void> serve(net::RequestHandler handler, runtime::CancellationToken token) override {
    return inner_.serve(std::move(handler), std::move(token));
  }

 private:
  net::Transport& inner_;
  Gate& gate_;
};

}  // namespace peer::access
