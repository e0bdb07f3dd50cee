// A second `download` of a game that is being downloaded: it attaches to the download under way and brings its own
// wait. What it asks for and the download does not give is refused.
#include <algorithm>
#include <utility>

#include "libpeer/downloads/downloads_state.h"
#include "libpeer/protocol/path.h"

namespace peer::downloads {

namespace {
constexpr std::size_t kMinIdPrefix = 4;

std::string quoted(const std::string& text) { return "\"" + protocol::printable(text) + "\""; }
}  // namespace

/// A peer that has left is still known to the download that was limited to it.
Result<std::set<PeerId>> Downloads::resolve_for(const Active& active, const std::vector<std::string>& names) const {
  std::set<PeerId> peers;
  for (const std::string& name : names) {
    if (const auto typed = active.from_typed.find(name); typed != active.from_typed.end()) {
      peers.insert(typed->second);
      continue;
    }
    Result<PeerId> peer = options_.table->resolve(name);
    if (!peer && name.size() >= kMinIdPrefix) {
      const auto begins = [&](const PeerId& id) { return id.hex().starts_with(name); };
      if (std::ranges::count_if(active.from, begins) == 1) peer = *std::ranges::find_if(active.from, begins);
    }
    if (!peer) return std::unexpected(peer.error());
    peers.insert(*peer);
  }
  return peers;
}

/// Why the download under way may bring another version than the one that is asked for.
std::optional<std::string> Downloads::version_conflict(const Active& active, const api::StartDownload& command) {
  if (!command.version) return std::nullopt;
  if (active.version_known) {
    if (active.version.hex().starts_with(*command.version)) return std::nullopt;
    return "in version " + active.version.brief();
  }
  if (active.wanted && active.wanted->starts_with(*command.version)) return std::nullopt;
  return active.wanted ? "in version " + *active.wanted : "in whichever version comes first";
}

/// Why the download under way cannot take anything from a peer that is named.
std::optional<std::string> Downloads::source_conflict(const Active& active, const std::set<PeerId>& from,
                                                      bool may_wait) const {
  for (const PeerId& peer : from) {
    const sessions::PeerEntry* entry = options_.table->find(peer);
    const std::string name = quoted(entry != nullptr ? entry->name : peer.brief());
    if (!active.from.empty()) {
      if (!active.from.contains(peer)) return name + " is none of the peers it was begun with (--from)";
      continue;
    }
    if (active.version_known) {
      const auto sources = options_.table->sources(active.game, active.version);
      if (std::ranges::find(sources, peer, &transfer::SourcePeer::id) != sources.end()) continue;
      const bool other = !options_.table->versions(active.game, {peer}).empty();
      if (other) return name + " has another version than " + active.version.brief();
      if (!may_wait) return name + " does not have it";
    } else if (active.wanted && !options_.table->versions(active.game, {peer}).empty()) {
      return name + " has another version than " + *active.wanted;
    }
  }
  return std::nullopt;
}

Result<api::DownloadInfo> Downloads::attach(Active& active, const api::StartDownload& command) {
  const std::string game = quoted(active.game);
  if (active.cancelled) {
    return fail(ErrorCode::busy, "the last download of " + game + " is just being cancelled: try again");
  }
  const Result<std::set<PeerId>> from = resolve_for(active, command.from);
  if (!from) return std::unexpected(from.error());
  const bool wait = command.wait && *command.wait > runtime::Duration::zero();
  if (const auto conflict = version_conflict(active, command)) {
    return fail(ErrorCode::busy, game + " is being downloaded " + *conflict + ", not in version " +
                                     quoted(*command.version) +
                                     ": leave out --version to follow that download, or end it first with 'peerctl "
                                     "cancel'");
  }
  if (const auto conflict = source_conflict(active, *from, wait)) {
    return fail(ErrorCode::busy, game + " is being downloaded already, and " + *conflict +
                                     ": leave out --from to follow that download, or end it first with 'peerctl "
                                     "cancel'");
  }
  if (command.version) {
    // Who names a version may replace a game of their own: downloads.auto may not.
    active.automatic = false;
    if (active.download) active.download->keep_own_game(false);
    active.pinned = active.pinned || active.version_known;
    if (!active.wanted || active.wanted->size() < command.version->size()) active.wanted = command.version;
  }
  if (wait) {
    const runtime::TimePoint now = scope_.executor().now();
    active.wait.bring(*command.wait, now);
    if (active.download) active.download->wait_for_sources(active.wait.until(now));
    active.changed.set();
  }
  dismissed_.erase(active.game);
  return info(active);
}

/// One whose end is decided is no longer attached to.
runtime::Task<void> Downloads::let_end(std::string game, runtime::CancellationToken token) {
  const auto found = active_.find(game);
  if (found == active_.end()) co_return;
  const std::shared_ptr<Active> active = found->second;
  while (active->ending && !active->over) {
    active->changed.reset();
    co_await active->changed.wait(token);
  }
}

}  // namespace peer::downloads
