// Pairings: whom paired mode lets in, by id; kept in the store, known on both loops. And what becomes of peers that one
// side does not let in.
#include <algorithm>
#include <set>
#include <utility>

#include "libpeer/node/runtime_state.h"
#include "libpeer/protocol/path.h"

namespace peer::node {

rt::Task<Result<Pairing>> PeerMain::pair_peer(PairPeer command, rt::CancellationToken token) {
  const Result<Pairing> pairing = peers_->pair(command.peer);
  if (!pairing) co_return pairing;
  const Result<void> saved = co_await apply_pairings(token);
  peers_->dial_paired(pairing->id);
  if (!saved) co_return std::unexpected(saved.error());
  co_return pairing;
}

rt::Task<Result<Pairing>> PeerMain::unpair_peer(UnpairPeer command, rt::CancellationToken token) {
  const Result<Pairing> pairing = peers_->unpair(command.peer);
  if (!pairing) co_return pairing;
  if (const Result<void> saved = co_await apply_pairings(token); !saved) co_return std::unexpected(saved.error());
  co_return pairing;
}

/// What cannot be read counts as not paired.
rt::Task<void> PeerMain::load_pairings() {
  auto load = [store = environment_.store](const rt::StopFlag&) { return store->pairings(); };
  const auto pairings = co_await rt::offload(*environment_.store_thread, std::move(load), rt::CancellationToken());
  if (!pairings) {
    log_.error("the pairings could not be read: " + pairings.error().message);
    co_return;
  }
  for (const store::StoredPairing& pairing : *pairings) peers_->restore_pairing(pairing.peer, pairing.name);
  kept_pairings_.restore(peers_->paired());
  static_cast<void>(co_await apply_pairings(rt::CancellationToken()));  // nothing to save
}

rt::Task<void> PeerMain::keep_pairings(rt::CancellationToken token) {
  for (;;) {
    co_await pairings_changed_.wait(token);
    pairings_changed_.reset();
    const Result<void> saved = co_await apply_pairings(token);
    if (!saved) log_.error("pairings: " + saved.error().message);
  }
}

/// Tells the net loop, and writes what the store does not have. Fails: disk_error; the next change tries again.
rt::Task<Result<void>> PeerMain::apply_pairings(rt::CancellationToken token) {
  const std::map<PeerId, std::string> now = peers_->paired();
  auto tell = [this, all = ids_of(now)](rt::CancellationToken) {
    net_side_->gate().set_paired(all);
    return []() -> rt::Task<void> { co_return; }();
  };
  co_await rt::call_on(*environment_.net, "pairings", std::move(tell), token);
  co_return co_await kept_pairings_.save(now);
}

}  // namespace peer::node
