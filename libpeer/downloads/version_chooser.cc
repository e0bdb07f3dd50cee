#include "libpeer/downloads/version_chooser.h"

#include <algorithm>

#include "libpeer/protocol/path.h"

namespace peer::downloads {

namespace {
std::int64_t usable_time(std::int64_t modified, std::int64_t now) { return modified > now ? 0 : modified; }

bool has_prefix(const api::RemoteVersion& version, const std::optional<std::string>& prefix) {
  return !prefix || version.version.hex().starts_with(*prefix);
}
}  // namespace

const api::RemoteVersion* choose_version(const std::vector<api::RemoteVersion>& offered, std::int64_t now) {
  const api::RemoteVersion* best = nullptr;
  for (const api::RemoteVersion& version : offered) {
    if (best == nullptr) {
      best = &version;
      continue;
    }
    const std::int64_t a = usable_time(version.modified, now);
    const std::int64_t b = usable_time(best->modified, now);
    if (a != b                                       ? a > b
        : version.peers.size() != best->peers.size() ? version.peers.size() > best->peers.size()
                                                     : version.version < best->version) {
      best = &version;
    }
  }
  return best;
}

Result<std::set<PeerId>> VersionChooser::resolve(const std::vector<std::string>& names) const {
  std::set<PeerId> peers;
  for (const std::string& name : names) {
    const Result<PeerId> peer = options_.table->resolve(name);
    // The games of an unknown peer are unknown too.
    if (!peer && peer.error().code == ErrorCode::unreachable) {
      return fail(ErrorCode::unavailable, peer.error().message);
    }
    if (!peer) return std::unexpected(peer.error());
    peers.insert(*peer);
  }
  return peers;
}

bool VersionChooser::installed(const std::string& game, const Digest& version) const {
  const auto snapshot = options_.library->snapshot();
  const library::LocalGame* local = snapshot->find(game);
  return local != nullptr && local->offered && local->offered->version == version;
}

bool VersionChooser::offered(const std::string& game, const Digest& version, const std::set<PeerId>& from) const {
  const std::vector<api::RemoteVersion> versions = options_.table->versions(game, from);
  return std::ranges::find(versions, version, &api::RemoteVersion::version) != versions.end();
}

/// The versions that peers offer, and the one that is installed here.
std::vector<api::RemoteVersion> VersionChooser::candidates(const std::string& game,
                                                           const std::set<PeerId>& from) const {
  std::vector<api::RemoteVersion> versions = options_.table->versions(game, from);
  const auto snapshot = options_.library->snapshot();
  const library::LocalGame* local = snapshot->find(game);
  const library::OfferedGame* installed = local != nullptr ? local->offered.get() : nullptr;
  if (installed != nullptr &&
      std::ranges::find(versions, installed->version, &api::RemoteVersion::version) == versions.end()) {
    versions.push_back({installed->version, local->size, local->files, installed->document->times.modified, {}});
  }
  return versions;
}

/// The reason why none of these peers serves this one, if all of them refuse it or are banned.
std::optional<Error> VersionChooser::refusal_of(const std::set<PeerId>& from) const {
  const bool refused = !from.empty() && std::ranges::all_of(from, [this](const PeerId& peer) {
    const sessions::PeerEntry* entry = options_.table->find(peer);
    return entry != nullptr && (entry->state == api::PeerState::refused || entry->state == api::PeerState::banned);
  });
  if (!refused) return std::nullopt;
  const sessions::PeerEntry& first = *options_.table->find(*from.begin());
  const std::string why = first.refusal.empty() ? std::string(to_string(first.state)) : first.refusal;
  return Error{ErrorCode::refused, first.name + " serves nothing to this peer: " + why, 0};
}

Result<VersionChoice> VersionChooser::choose(const std::string& game, const std::optional<std::string>& prefix,
                                             const std::set<PeerId>& from) const {
  const std::vector<api::RemoteVersion> offered = candidates(game, from);
  if (offered.empty()) {
    if (const auto refusal = refusal_of(from)) return std::unexpected(*refusal);
  }
  const auto matching =
      std::ranges::count_if(offered, [&](const api::RemoteVersion& each) { return has_prefix(each, prefix); });
  if (prefix && matching > 1) {
    return fail(ErrorCode::invalid, "version " + *prefix + " is not unique: give more digits");
  }
  if (prefix && matching == 0) {
    return fail(ErrorCode::unavailable,
                "no connected peer has version " + *prefix + " of " + game + ": 'peerctl games' lists what there is");
  }
  if (const auto choice = choose_any(game, prefix, from)) return *choice;
  const auto snapshot = options_.library->snapshot();
  if (snapshot->find(game) != nullptr) {
    return fail(ErrorCode::unavailable, game + " is here but not ready, and no connected peer has it");
  }
  return fail(ErrorCode::not_found, "no game " + protocol::printable(game) +
                                        " here or on any connected peer: 'peerctl games' lists what there is");
}

std::optional<VersionChoice> VersionChooser::choose_any(const std::string& game,
                                                        const std::optional<std::string>& prefix,
                                                        const std::set<PeerId>& from) const {
  std::vector<api::RemoteVersion> versions = candidates(game, from);
  std::erase_if(versions, [&](const api::RemoteVersion& each) { return !has_prefix(each, prefix); });
  const api::RemoteVersion* chosen = choose_version(versions, options_.wall_clock());
  if (chosen == nullptr) return std::nullopt;
  return VersionChoice{chosen->version, chosen->size, installed(game, chosen->version)};
}

}  // namespace peer::downloads
