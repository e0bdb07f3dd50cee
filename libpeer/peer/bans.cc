// Bans: whom this peer does not deal with any more, by id; kept in the store, known on both loops.
#include <utility>

#include "peer/runtime_state.h"
#include "protocol/path.h"

namespace peer::node {

void Peers::ban(const PeerId& peer, const std::string& reason, const std::string& name) {
  if (peer == options_.self || banned_.contains(peer)) return;
  PeerEntry* entry = table_.find(peer);
  const std::string called = entry != nullptr && !entry->name.empty() ? entry->name
                             : name.empty()                           ? peer.brief()
                                                                      : name;
  banned_.emplace(peer, Ban{called, reason});
  log_.peer(peer.hex()).warn(called + " (" + peer.brief() + ") is banned: " + protocol::printable(reason));
  for (auto& [id, session] : sessions_) {
    if (session.peer != peer || session.closed) continue;
    send(session, protocol::Refusal{"this peer is banned here"});
    close(id);
  }
  if (entry != nullptr) {
    const bool connected = entry->state == PeerState::connected;
    if (connected) lose(*entry, PeerEvent::Kind::lost);
    entry->state = PeerState::banned;
    entry->session.reset();
  }
  if (!leaving_) options_.on_event(PeerEvent{PeerEvent::Kind::banned, peer, called, reason});
  wake_waiters();
  options_.on_bans_changed();
}

/// Also of one that is not known: by its whole id.
Result<PeerId> Peers::find_to_ban(const std::string& peer) const {
  Result<PeerId> known = table_.resolve(peer);
  if (known) return known;
  if (const auto id = PeerId::from_hex(peer)) return *id;
  if (known.error().code == ErrorCode::unreachable) {
    return fail(ErrorCode::unreachable,
                known.error().message +
                    ", and a ban goes by the id. Give the 64 digits of the id; to stop dialling "
                    "the address: peerctl disconnect " +
                    peer);
  }
  return known;
}

Result<void> Peers::unban(const std::string& peer) {
  std::vector<PeerId> matches;
  for (const auto& [id, ban] : banned_) {
    const bool named = ban.name == peer || static_id(peer) == id;
    if (named || (peer.size() >= 4 && id.hex().starts_with(peer))) matches.push_back(id);
  }
  if (matches.empty())
    return fail(ErrorCode::invalid, "no peer called " + peer + " is banned: 'peerctl peers' lists them");
  if (matches.size() > 1) {
    return fail(ErrorCode::invalid,
                peer + " fits " + std::to_string(matches.size()) + " banned peers: give more digits");
  }
  const PeerId id = matches.front();
  banned_.erase(id);
  bool dialled = false;
  for (const auto& target : targets_) {
    // Whom an address led to is not known before it is dialled again.
    if (!target->id || *target->id == id) target->kick.set();
    if (target->id == id && !target->gone) dialled = true;
  }
  if (PeerEntry* entry = table_.find(id)) {
    entry->state = PeerState::unreachable;
    if (!dialled) dial_again(*entry);
  }
  log_.peer(id.hex()).info(id.brief() + " is banned no more");
  wake_waiters();
  options_.on_bans_changed();
  return {};
}

rt::Task<Result<bool>> PeerMain::ban_peer(BanPeer command, rt::CancellationToken token) {
  const Result<PeerId> id = peers_->find_to_ban(command.peer);
  if (!id) co_return std::unexpected(id.error());
  if (*id == options_.identity.id()) co_return fail(ErrorCode::invalid, "that is this peer itself");
  peers_->ban(*id, "by a person");
  co_return acknowledged(co_await apply_bans(token));
}

rt::Task<Result<bool>> PeerMain::unban_peer(UnbanPeer command, rt::CancellationToken token) {
  const Result<void> lifted = peers_->unban(command.peer);
  if (!lifted) co_return std::unexpected(lifted.error());
  co_return acknowledged(co_await apply_bans(token));
}

rt::Task<void> PeerMain::load_bans() {
  auto load = [store = environment_.store](const rt::StopFlag&) { return store->bans(); };
  const auto bans = co_await rt::offload(*environment_.store_thread, std::move(load), rt::CancellationToken());
  if (!bans) {
    log_.error("the bans could not be read: " + bans.error().message);
    co_return;
  }
  for (const store::StoredBan& ban : *bans) peers_->restore_ban(ban.peer, {ban.name, ban.reason});
  kept_bans_.restore(peers_->banned());
  bans_changed_.set();  // for the net loop
}

rt::Task<void> PeerMain::keep_bans(rt::CancellationToken token) {
  for (;;) {
    co_await bans_changed_.wait(token);
    bans_changed_.reset();
    const Result<void> saved = co_await apply_bans(token);
    if (!saved) log_.error("bans: " + saved.error().message);
  }
}

/// Tells the net loop, and writes what the store does not have. Fails: disk_error; the next change tries again.
rt::Task<Result<void>> PeerMain::apply_bans(rt::CancellationToken token) {
  const std::map<PeerId, Ban> now = peers_->banned();
  auto tell = [this, all = ids_of(now)](rt::CancellationToken) {
    net_side_->set_banned(all);
    return []() -> rt::Task<void> { co_return; }();
  };
  co_await rt::call_on(*environment_.net, "bans", std::move(tell), token);
  co_return co_await kept_bans_.save(now);
}

}  // namespace peer::node
