// Bans: whom this peer does not deal with any more, by id; kept in the store, known on both loops.
#include <utility>

#include "libpeer/node/runtime_state.h"
#include "libpeer/protocol/path.h"

namespace peer::node {

runtime::Task<Result<bool>> PeerMain::ban_peer(api::BanPeer command, runtime::CancellationToken token) {
  const Result<PeerId> id = peers_->find_to_ban(command.peer);
  if (!id) co_return std::unexpected(id.error());
  if (*id == options_.identity.id()) co_return fail(ErrorCode::invalid, "that is this peer itself");
  peers_->ban(*id, "by a person");
  co_return acknowledged(co_await apply_bans(token));
}

runtime::Task<Result<bool>> PeerMain::unban_peer(api::UnbanPeer command, runtime::CancellationToken token) {
  const Result<void> lifted = peers_->unban(command.peer);
  if (!lifted) co_return std::unexpected(lifted.error());
  co_return acknowledged(co_await apply_bans(token));
}

runtime::Task<void> PeerMain::load_bans() {
  auto load = [store = environment_.store](const runtime::StopFlag&) { return store->bans(); };
  const auto bans =
      co_await runtime::offload(*environment_.store_thread, std::move(load), runtime::CancellationToken());
  if (!bans) {
    log_.error("the bans could not be read: " + bans.error().message);
    co_return;
  }
  for (const store::StoredBan& ban : *bans) peers_->restore_ban(ban.peer, {ban.name, ban.reason});
  kept_bans_.restore(peers_->banned());
  bans_changed_.set();  // for the net loop
}

runtime::Task<void> PeerMain::keep_bans(runtime::CancellationToken token) {
  for (;;) {
    co_await bans_changed_.wait(token);
    bans_changed_.reset();
    const Result<void> saved = co_await apply_bans(token);
    if (!saved) log_.error("bans: " + saved.error().message);
  }
}

/// Tells the net loop, and writes what the store does not have. Fails: disk_error; the next change tries again.
runtime::Task<Result<void>> PeerMain::apply_bans(runtime::CancellationToken token) {
  const std::map<PeerId, sessions::Ban> now = peers_->banned();
  auto tell = [this, all = access::ids_of(now)](runtime::CancellationToken) {
    net_side_->set_banned(all);
    return []() -> runtime::Task<void> { co_return; }();
  };
  co_await runtime::call_on(*environment_.net, "bans", std::move(tell), token);
  co_return co_await kept_bans_.save(now);
}

}  // namespace peer::node
