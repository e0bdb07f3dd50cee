#include "libpeer/downloads/attach.h"

#include <algorithm>
#include <utility>

#include "libpeer/protocol/path.h"

namespace peer::downloads {

namespace {
constexpr std::size_t kMinIdPrefix = 4;

std::string quoted(const std::string& text) { return "\"" + protocol::printable(text) + "\""; }

/// The peers with these names. Also finds a peer that is no longer known, if the download is limited to it.
Result<std::set<PeerId>> resolve(const DownloadRequest& request, const std::vector<std::string>& names,
                                 const sessions::PeerTable& table) {
  std::set<PeerId> peers;
  for (const std::string& name : names) {
    if (const auto typed = request.from_typed.find(name); typed != request.from_typed.end()) {
      peers.insert(typed->second);
      continue;
    }
    Result<PeerId> peer = table.resolve(name);
    if (!peer && name.size() >= kMinIdPrefix) {
      const auto begins = [&](const PeerId& id) { return id.hex().starts_with(name); };
      if (std::ranges::count_if(request.from, begins) == 1) peer = *std::ranges::find_if(request.from, begins);
    }
    if (!peer) return std::unexpected(peer.error());
    peers.insert(*peer);
  }
  return peers;
}

/// Why the download under way may fetch another version than `asked`.
std::optional<std::string> version_conflict(const DownloadRequest& request, const std::optional<std::string>& asked) {
  if (!asked) return std::nullopt;
  if (request.version_known) {
    if (request.version.hex().starts_with(*asked)) return std::nullopt;
    return "in version " + request.version.brief();
  }
  if (request.version_prefix && request.version_prefix->starts_with(*asked)) return std::nullopt;
  return request.version_prefix ? "in version " + *request.version_prefix : "in the first version that a peer offers";
}

/// Why the download under way cannot fetch from one of the peers `from`.
std::optional<std::string> source_conflict(const DownloadRequest& request, const std::set<PeerId>& from, bool may_wait,
                                           const sessions::PeerTable& table) {
  for (const PeerId& peer : from) {
    const sessions::PeerEntry* entry = table.find(peer);
    const std::string name = quoted(entry != nullptr ? entry->name : peer.brief());
    if (!request.from.empty()) {
      if (!request.from.contains(peer)) return name + " is none of the peers that it was started with (--from)";
      continue;
    }
    if (request.version_known) {
      const auto sources = table.sources(request.game, request.version);
      if (std::ranges::find(sources, peer, &transfer::SourcePeer::id) != sources.end()) continue;
      const bool other = !table.versions(request.game, {peer}).empty();
      if (other) return name + " has another version than " + request.version.brief();
      if (!may_wait) return name + " does not have it";
    } else if (request.version_prefix && !table.versions(request.game, {peer}).empty()) {
      return name + " has another version than " + *request.version_prefix;
    }
  }
  return std::nullopt;
}
}  // namespace

Result<void> attach(DownloadEntry& entry, const api::StartDownload& command, const sessions::PeerTable& peers,
                    runtime::TimePoint now) {
  DownloadRequest& request = entry.request;
  const std::string game = quoted(request.game);
  if (entry.cancelled) {
    return fail(ErrorCode::busy,
                "the previous download of " + game + " is still being cancelled: try again in a moment");
  }
  const Result<std::set<PeerId>> from = resolve(request, command.from, peers);
  if (!from) return std::unexpected(from.error());
  const bool wait = command.wait && *command.wait > runtime::Duration::zero();
  if (const auto conflict = version_conflict(request, command.version)) {
    return fail(ErrorCode::busy, game + " is being downloaded " + *conflict + ", not in version " +
                                     quoted(*command.version) +
                                     ": omit --version to attach to that download, or end it with 'peerctl cancel'");
  }
  if (const auto conflict = source_conflict(request, *from, wait, peers)) {
    return fail(ErrorCode::busy, game + " is already being downloaded, and " + *conflict +
                                     ": omit --from to attach to that download, or end it with 'peerctl cancel'");
  }
  if (command.version) {
    // A command that names a version may replace an own game; downloads.auto may not.
    request.automatic = false;
    if (entry.download) entry.download->keep_own_game(false);
    request.pinned = request.pinned || request.version_known;
    if (!request.version_prefix || request.version_prefix->size() < command.version->size()) {
      request.version_prefix = command.version;
    }
  }
  if (wait) {
    entry.wait.bring(*command.wait, now);
    if (entry.download) entry.download->wait_for_sources(entry.wait.until(now));
    entry.changed.set();
  }
  return {};
}

}  // namespace peer::downloads
