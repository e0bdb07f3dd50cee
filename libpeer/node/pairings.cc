// Pairings: whom paired mode lets in, by id; kept in the store, known on both loops. And what becomes of peers that one
// side does not let in.
#include <algorithm>
#include <set>
#include <utility>

#include "libpeer/node/runtime_state.h"
#include "libpeer/protocol/path.h"

namespace peer::node {

runtime::Task<Result<api::Pairing>> PeerMain::pair_peer(api::PairPeer command, runtime::CancellationToken token) {
  const Result<api::Pairing> pairing = peers_->pair(command.peer);
  if (!pairing) co_return pairing;
  const Result<void> saved = co_await apply_pairings(token);
  peers_->dial_paired(pairing->id);
  if (!saved) co_return std::unexpected(saved.error());
  co_return pairing;
}

runtime::Task<Result<api::Pairing>> PeerMain::unpair_peer(api::UnpairPeer command, runtime::CancellationToken token) {
  const Result<api::Pairing> pairing = peers_->unpair(command.peer);
  if (!pairing) co_return pairing;
  if (const Result<void> saved = co_await apply_pairings(token); !saved) co_return std::unexpected(saved.error());
  co_return pairing;
}

/// What cannot be read counts as not paired.
runtime::Task<void> PeerMain::load_pairings() {
  auto load = [store = environment_.store](const runtime::StopFlag&) { return store->pairings(); };
  const auto pairings =
      co_await runtime::offload(*environment_.store_thread, std::move(load), runtime::CancellationToken());
  if (!pairings) {
    log_.error("the pairings could not be read: " + pairings.error().message);
    co_return;
  }
  for (const store::StoredPairing& pairing : *pairings) peers_->restore_pairing(pairing.peer, pairing.name);
  kept_pairings_.restore(peers_->paired());
  static_cast<void>(co_await apply_pairings(runtime::CancellationToken()));  // nothing to save
}

runtime::Task<void> PeerMain::keep_pairings(runtime::CancellationToken token) {
  for (;;) {
    co_await pairings_changed_.wait(token);
    pairings_changed_.reset();
    const Result<void> saved = co_await apply_pairings(token);
    if (!saved) log_.error("pairings: " + saved.error().message);
  }
}

/// Tells the net loop, and writes what the store does not have. Fails: disk_error; the next change tries again.
runtime::Task<Result<void>> PeerMain::apply_pairings(runtime::CancellationToken token) {
  const std::map<PeerId, std::string> now = peers_->paired();
  auto tell = [this, all = access::ids_of(now)](runtime::CancellationToken) {
    net_side_->gate().set_paired(all);
    return []() -> runtime::Task<void> { co_return; }();
  };
  co_await runtime::call_on(*environment_.net, "pairings", std::move(tell), token);
  co_return co_await kept_pairings_.save(now);
}

}  // namespace peer::node
