// Gate: whom this peer deals with at all, by its access mode. Loop: net.
//
// Every connection passes it once on each side: who dialled by enter(), before it asks for anything; who was dialled by
// admits(), at every request. What it does not admit gets one and the same answer to whatever it asks. The peer itself
// is always admitted: its sessions refuse it with better words.
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
  std::optional<access::PartySecret> secret;  ///< of party mode
  /// Whether the key file still holds it, in words; called on a worker. Empty: there is no file.
  std::function<Result<std::string>()> judge_key;
};

class Gate {
 public:
  Gate(runtime::Executor& executor, Access access, const PeerId& self);

  /// Whom paired mode admits.
  void set_paired(std::set<PeerId> peers) { paired_ = std::move(peers); }

  /// For who has dialled: learns whether the other side may be dealt with, and shows that this one may. Fails: refused;
  /// unreachable if the other side does not answer.
  runtime::Task<Result<void>> enter(net::Link& link, runtime::CancellationToken token);

  /// For who was dialled.
  bool admits(const net::ServerStream& stream) const;
  /// Serves POST /v1/proof: from then on its connection is admitted, if the proof is right. False: nothing was
  /// answered.
  bool take_proof(net::ServerStream& stream) const;

 private:
  runtime::Task<Result<void>> prove(net::Link& link, runtime::CancellationToken token);

  runtime::Executor& executor_;
  Access access_;
  PeerId self_;
  std::set<PeerId> paired_;
};

/// A transport whose links have passed the gate.
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
