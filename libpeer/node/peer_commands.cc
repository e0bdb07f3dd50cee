#include "libpeer/node/peer_commands.h"

namespace peer::node {

runtime::Task<Result<bool>> PeerCommands::handle(api::BanPeer command, runtime::CancellationToken) {
  const Result<PeerId> id = peers_.find_to_ban(command.peer);
  if (!id) co_return std::unexpected(id.error());
  if (*id == self_) co_return fail(ErrorCode::invalid, "\"" + command.peer + "\" is this peer itself");
  peers_.ban(*id, "by a person");
  const Result<void> saved = co_await bans_.apply();
  if (!saved) co_return std::unexpected(saved.error());
  co_return true;
}

runtime::Task<Result<bool>> PeerCommands::handle(api::UnbanPeer command, runtime::CancellationToken) {
  const Result<void> lifted = peers_.unban(command.peer);
  if (!lifted) co_return std::unexpected(lifted.error());
  const Result<void> saved = co_await bans_.apply();
  if (!saved) co_return std::unexpected(saved.error());
  co_return true;
}

/// The pairing takes effect, and the peer is dialed, even if the pairing cannot be saved.
runtime::Task<Result<api::Pairing>> PeerCommands::handle(api::PairPeer command, runtime::CancellationToken) {
  const Result<api::Pairing> pairing = peers_.pair(command.peer);
  if (!pairing) co_return pairing;
  const Result<void> saved = co_await pairings_.apply();
  peers_.dial_paired(pairing->id);
  if (!saved) co_return std::unexpected(saved.error());
  co_return pairing;
}

runtime::Task<Result<api::Pairing>> PeerCommands::handle(api::UnpairPeer command, runtime::CancellationToken) {
  const Result<api::Pairing> pairing = peers_.unpair(command.peer);
  if (!pairing) co_return pairing;
  const Result<void> saved = co_await pairings_.apply();
  if (!saved) co_return std::unexpected(saved.error());
  co_return pairing;
}

}  // namespace peer::node
