#include "libpeer/downloads/downloads.h"

#include <algorithm>
#include <utility>

#include "libpeer/base/version_prefix.h"
#include "libpeer/downloads/downloads_state.h"
#include "libpeer/protocol/path.h"
#include "libpeer/runtime/sleep.h"

namespace peer::downloads {

namespace {
std::int64_t usable_time(std::int64_t modified, std::int64_t now) { return modified > now ? 0 : modified; }
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

Downloads::Downloads(runtime::Scope& parent, DownloadsOptions options)
    : scope_(parent, "downloads"), options_(std::move(options)), log_(options_.log.named("transfer")) {}

Downloads::~Downloads() = default;

api::DownloadInfo Downloads::info(const Active& active) const {
  const transfer::Progress current = active.download ? active.download->progress() : active.progress;
  const transfer::Progress& progress = current.bytes_total != 0 ? current : active.progress;  // it is not opened yet
  api::DownloadInfo info;
  info.game = active.game;
  info.version = active.version;
  info.state = active.state;
  if (active.state == api::DownloadState::downloading && progress.phase == transfer::Phase::publishing) {
    info.state = api::DownloadState::verifying;
  }
  if (active.trouble) info.state = api::DownloadState::paused;
  info.bytes_total = progress.bytes_total != 0 ? progress.bytes_total : active.size;
  info.bytes_done = progress.bytes_done;
  info.bytes_reused = progress.bytes_reused;
  info.bytes_received = received(active);
  info.elapsed_s = std::chrono::duration<double>(elapsed(active)).count();
  info.bytes_timed = timed(active);
  if (info.state == api::DownloadState::downloading) {
    info.rate = progress.rate;
    info.eta_s = progress.eta_s;
    info.bottleneck = progress.bottleneck;
  }
  std::map<PeerId, std::uint64_t> sources = active.sources_before;
  if (active.download) {
    for (const auto& [id, bytes] : current.sources) sources[id] += bytes;
  }
  for (const auto& [id, bytes] : sources) info.sources.push_back({id, bytes});
  // One that a person paused does not go on when the trouble is over.
  info.error = active.trouble && !active.paused ? active.trouble : active.error;
  info.from.assign(active.from.begin(), active.from.end());
  return info;
}

void Downloads::tell(Active& active, api::DownloadEvent::Kind kind) {
  if (stopping_) return;  // nothing more is said of a download after ShuttingDown
  options_.on_event(api::DownloadEvent{kind, info(active)});
}

std::vector<api::DownloadInfo> Downloads::list() const {
  std::vector<api::DownloadInfo> all;
  for (const auto& active : in_order()) all.push_back(info(*active));
  for (const auto& [game, past] : past_) {
    if (!active_.contains(game)) all.push_back(past);
  }
  return all;
}

bool Downloads::installed(const std::string& game, const Digest& version) const {
  const auto snapshot = options_.library->snapshot();
  const library::LocalGame* local = snapshot->find(game);
  return local != nullptr && local->offered && local->offered->version == version;
}

Result<std::set<PeerId>> Downloads::resolve(const std::vector<std::string>& names) const {
  std::set<PeerId> peers;
  for (const std::string& name : names) {
    const Result<PeerId> peer = options_.table->resolve(name);
    // Of one that is not known yet nobody can tell what it has.
    if (!peer && peer.error().code == ErrorCode::unreachable) {
      return fail(ErrorCode::no_peer_has_it, peer.error().message);
    }
    if (!peer) return std::unexpected(peer.error());
    peers.insert(*peer);
  }
  return peers;
}

/// The versions that peers offer, and the one that is installed here.
std::vector<api::RemoteVersion> Downloads::candidates(const std::string& game, const std::set<PeerId>& from) const {
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

Result<Downloads::Choice> Downloads::choose(const std::string& game, const std::optional<std::string>& version,
                                            const std::set<PeerId>& from) const {
  const auto snapshot = options_.library->snapshot();
  const library::LocalGame* local = snapshot->find(game);
  const library::OfferedGame* installed = local != nullptr ? local->offered.get() : nullptr;
  const std::vector<api::RemoteVersion> offered = candidates(game, from);
  const bool refused =
      offered.empty() && !from.empty() && std::ranges::all_of(from, [this](const PeerId& peer) {
        const sessions::PeerEntry* entry = options_.table->find(peer);
        return entry != nullptr && (entry->state == api::PeerState::refused || entry->state == api::PeerState::banned);
      });
  if (refused) {
    const sessions::PeerEntry& first = *options_.table->find(*from.begin());
    const std::string why = first.refusal.empty() ? std::string(to_string(first.state)) : first.refusal;
    return fail(ErrorCode::refused, first.name + " brings nothing: " + why);
  }
  const api::RemoteVersion* chosen = nullptr;
  if (version) {
    for (const api::RemoteVersion& each : offered) {
      if (!each.version.hex().starts_with(*version)) continue;
      if (chosen != nullptr)
        return fail(ErrorCode::invalid, "version " + *version + " is not unique: give more digits");
      chosen = &each;
    }
    if (chosen == nullptr) {
      return fail(ErrorCode::no_peer_has_it, "no connected peer has version " + *version + " of " + game +
                                                 ": 'peerctl games' lists what there is");
    }
  } else {
    chosen = choose_version(offered, options_.wall_clock());
  }
  if (chosen == nullptr) {
    return fail(local != nullptr ? ErrorCode::no_peer_has_it : ErrorCode::no_such_game,
                local != nullptr ? game + " is here but not ready, and no connected peer has it"
                                 : "no game " + protocol::printable(game) +
                                       " here or on any connected peer: 'peerctl games' lists what there is");
  }
  return Choice{chosen->version, chosen->size, installed != nullptr && installed->version == chosen->version};
}

Result<api::DownloadInfo> Downloads::start(const api::StartDownload& command) {
  if (const auto problem = protocol::game_id_problem(command.game)) {
    return fail(ErrorCode::invalid, protocol::printable(command.game) + " is no game: " + *problem);
  }
  if (command.version && !version_prefix(*command.version)) {
    return fail(ErrorCode::invalid, "a version is 64 hex digits or a unique prefix of 8 or more");
  }
  const auto running = active_.find(command.game);
  if (running != active_.end()) return attach(*running->second, command);
  const Result<std::set<PeerId>> from = resolve(command.from);
  if (!from) return std::unexpected(from.error());
  const Result<Choice> choice = choose(command.game, command.version, *from);
  const bool wait = command.wait && *command.wait > runtime::Duration::zero();
  const bool may_wait =
      wait && (choice || choice.error().code == ErrorCode::no_such_game ||
               choice.error().code == ErrorCode::no_peer_has_it || choice.error().code == ErrorCode::refused);
  if (!choice && !may_wait) return std::unexpected(choice.error());
  if (choice && choice->here) {
    api::DownloadInfo done;
    done.game = command.game;
    done.version = choice->version;
    done.state = api::DownloadState::finished;
    done.bytes_total = done.bytes_done = done.bytes_reused = choice->size;
    return done;
  }
  auto active = std::make_shared<Active>(scope_.token());
  active->game = command.game;
  if (choice) {
    active->version = choice->version;
    active->version_known = true;
    active->size = choice->size;
    active->pinned = command.version.has_value();
  }
  active->from = *from;
  for (const std::string& name : command.from) {
    if (const Result<PeerId> peer = options_.table->resolve(name)) active->from_typed.emplace(name, *peer);
  }
  active->wanted = command.version;
  if (wait) active->wait.bring(*command.wait, scope_.executor().now());
  carry_on(*active);
  past_.erase(command.game);
  dismissed_.erase(command.game);
  enter(active);
  return info(*active);
}

/// What an attempt that failed has received lies in the staging and counts on: so does its time.
void Downloads::carry_on(Active& active) const {
  const auto found = past_.find(active.game);
  if (found == past_.end()) return;
  const api::DownloadInfo& past = found->second;
  const bool ended_early = past.state == api::DownloadState::failed || past.state == api::DownloadState::peers_gone;
  if (!ended_early || !active.version_known || past.version != active.version) return;
  active.received_before = past.bytes_received;
  active.progress.bytes_reused = past.bytes_reused;
  active.timed_before = past.bytes_timed;
  active.elapsed_before = std::chrono::duration_cast<runtime::Duration>(std::chrono::duration<double>(past.elapsed_s));
  for (const api::SourceBytes& source : past.sources) active.sources_before[source.id] = source.bytes;
}

void Downloads::enter(std::shared_ptr<Active> active) {
  active->position = next_position_++;
  active_.emplace(active->game, active);
  const runtime::CancellationToken token = active->stop.token();
  std::string name = "download " + active->game;
  scope_.spawn(std::move(name), run(std::move(active), token));
}

void Downloads::sources_changed() {
  table_changed_.set();
  automatic_due_.set();
  for (auto& [game, active] : active_) {
    if (active->download) active->download->sources_changed();
  }
}

runtime::Task<void> Downloads::stop() {
  stopping_ = true;
  scope_.request_stop();
  co_await scope_.join();
}

}  // namespace peer::downloads
