#include "peer/downloads.h"

#include <algorithm>
#include <utility>

#include "protocol/path.h"
#include "runtime/sleep.h"

namespace peer::node {

namespace {
constexpr std::size_t kMaxPast = 200;

std::int64_t usable_time(std::int64_t modified, std::int64_t now) { return modified > now ? 0 : modified; }
}  // namespace

const RemoteVersion* choose_version(const std::vector<RemoteVersion>& offered, std::int64_t now) {
  const RemoteVersion* best = nullptr;
  for (const RemoteVersion& version : offered) {
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

struct Downloads::Active {
  std::string game;
  Digest version;
  bool version_known = false;
  std::set<PeerId> from;
  bool wait = false;  ///< no peer is no end (yet)
  rt::TimePoint wait_until = rt::TimePoint::max();
  std::uint64_t position = 0;
  std::uint64_t size = 0;
  DownloadState state = DownloadState::queued;
  std::optional<Error> error;
  rt::TimePoint began{};
  bool begun = false;      ///< DownloadGameFilesBegin was told
  bool cancelled = false;  ///< by a person
  rt::CancellationSource stop;
  std::unique_ptr<transfer::Download> download;
  transfer::Progress progress;

  explicit Active(const rt::CancellationToken& parent) : stop(parent) {}
};

// Clears the tables when the download's task ends, however it ends.
class Downloads::Guard {
 public:
  Guard(Downloads& downloads, std::shared_ptr<Active> active) : downloads_(downloads), active_(std::move(active)) {}
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  ~Guard() {
    if (active_->download) active_->progress = active_->download->progress();
    if (running_) {
      --downloads_.running_;
      downloads_.turn_.set();
    }
    if (!downloads_.stopping_) {
      if (downloads_.past_.size() >= kMaxPast) downloads_.past_.erase(downloads_.past_.begin());
      downloads_.past_.insert_or_assign(active_->game, downloads_.info(*active_));
    }
    active_->download.reset();
    downloads_.active_.erase(active_->game);
  }
  void count_as_running() {
    running_ = true;
    ++downloads_.running_;
  }

 private:
  Downloads& downloads_;
  std::shared_ptr<Active> active_;
  bool running_ = false;
};

Downloads::Downloads(rt::Scope& parent, DownloadsOptions options)
    : scope_(parent, "downloads"), options_(std::move(options)), log_(options_.log.named("transfer")) {}

Downloads::~Downloads() = default;

DownloadInfo Downloads::info(const Active& active) const {
  const transfer::Progress progress = active.download ? active.download->progress() : active.progress;
  DownloadInfo info;
  info.game = active.game;
  info.version = active.version;
  info.state = active.state;
  if (active.state == DownloadState::downloading && progress.phase == transfer::Phase::publishing) {
    info.state = DownloadState::verifying;
  }
  info.bytes_total = progress.bytes_total != 0 ? progress.bytes_total : active.size;
  info.bytes_done = progress.bytes_done;
  info.bytes_reused = progress.bytes_reused;
  info.bytes_received = progress.bytes_received;
  if (info.state == DownloadState::downloading) {
    info.rate = progress.rate;
    info.eta_s = progress.eta_s;
  }
  if (active.begun) {
    info.elapsed_s = std::chrono::duration<double>(scope_.executor().now() - active.began).count();
  }
  for (const auto& [id, bytes] : progress.sources) info.sources.push_back({id, bytes});
  info.error = active.error;
  return info;
}

void Downloads::tell(Active& active, DownloadEvent::Kind kind) {
  if (stopping_) return;  // nothing more is said of a download after ShuttingDown
  options_.on_event(DownloadEvent{kind, info(active)});
}

std::vector<DownloadInfo> Downloads::list() const {
  std::vector<const Active*> ordered;
  for (const auto& [game, active] : active_) ordered.push_back(active.get());
  std::ranges::sort(ordered, {}, &Active::position);
  std::vector<DownloadInfo> all;
  for (const Active* active : ordered) all.push_back(info(*active));
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

Result<Downloads::Choice> Downloads::choose(const StartDownload& command) const {
  const auto snapshot = options_.library->snapshot();
  const library::LocalGame* local = snapshot->find(command.game);
  const library::OfferedGame* installed = local != nullptr ? local->offered.get() : nullptr;
  std::vector<RemoteVersion> offered = options_.table->versions(command.game);
  for (const std::string& name : command.from) {
    const Result<PeerId> peer = options_.table->resolve(name);
    if (!peer) return std::unexpected(peer.error());
  }
  if (installed != nullptr) {
    auto same = std::ranges::find(offered, installed->version, &RemoteVersion::version);
    if (same == offered.end()) {
      offered.push_back({installed->version, local->size, local->files, installed->document->times.modified, {}});
    }
  }
  const RemoteVersion* chosen = nullptr;
  if (command.version) {
    for (const RemoteVersion& version : offered) {
      if (!version.version.hex().starts_with(*command.version)) continue;
      if (chosen != nullptr)
        return fail(ErrorCode::invalid, "version " + *command.version + " is not unique: give more digits");
      chosen = &version;
    }
    if (chosen == nullptr) {
      return fail(ErrorCode::no_peer_has_it, "no connected peer has version " + *command.version + " of " +
                                                 command.game + ": 'peerctl games' lists what there is");
    }
  } else {
    chosen = choose_version(offered, options_.wall_clock());
  }
  if (chosen == nullptr) {
    return fail(local != nullptr ? ErrorCode::no_peer_has_it : ErrorCode::no_such_game,
                local != nullptr ? command.game + " is here but not ready, and no connected peer has it"
                                 : "no game " + protocol::printable(command.game) +
                                       " here or on any connected peer: 'peerctl games' lists what there is");
  }
  return Choice{chosen->version, chosen->size, installed != nullptr && installed->version == chosen->version};
}

Result<DownloadInfo> Downloads::start(const StartDownload& command) {
  if (const auto problem = protocol::game_id_problem(command.game)) {
    return fail(ErrorCode::invalid, protocol::printable(command.game) + " is no game: " + *problem);
  }
  if (command.version && (command.version->size() < 8 || command.version->size() > 64)) {
    return fail(ErrorCode::invalid, "a version is 64 hex digits or a unique prefix of 8 or more");
  }
  const auto running = active_.find(command.game);
  if (running != active_.end()) {
    Active& active = *running->second;
    if (command.version && active.version_known && !active.version.hex().starts_with(*command.version)) {
      return fail(ErrorCode::busy,
                  command.game + " is being downloaded in version " + active.version.brief() + ": cancel that first");
    }
    if (active.version_known) return info(active);
  }
  const Result<Choice> choice = choose(command);
  const bool wait = command.wait && *command.wait > rt::Duration::zero();
  const bool may_wait = wait && (choice || choice.error().code == ErrorCode::no_such_game ||
                                 choice.error().code == ErrorCode::no_peer_has_it);
  if (!choice && !may_wait) return std::unexpected(choice.error());
  if (running != active_.end()) return info(*running->second);
  if (choice && choice->here) {
    DownloadInfo done;
    done.game = command.game;
    done.version = choice->version;
    done.state = DownloadState::finished;
    done.bytes_total = done.bytes_done = done.bytes_reused = choice->size;
    return done;
  }
  auto active = std::make_shared<Active>(scope_.token());
  active->game = command.game;
  if (choice) {
    active->version = choice->version;
    active->version_known = true;
    active->size = choice->size;
  }
  for (const std::string& name : command.from) {
    if (const Result<PeerId> peer = options_.table->resolve(name)) active->from.insert(*peer);
  }
  if (wait) {
    active->wait = true;
    active->wait_until = scope_.executor().now() + *command.wait;
  }
  active->position = next_position_++;
  past_.erase(command.game);
  active_.emplace(command.game, active);
  scope_.spawn("download " + command.game, run(active, active->stop.token()));
  return info(*active);
}

Result<bool> Downloads::cancel(const std::string& game) {
  const auto found = active_.find(game);
  if (found == active_.end()) {
    return fail(ErrorCode::no_such_game,
                "no download of " + protocol::printable(game) + " is under way: 'peerctl downloads' lists them");
  }
  found->second->cancelled = true;
  found->second->stop.request();
  return true;
}

rt::Task<void> Downloads::persist(std::string game, std::optional<Digest> version, rt::CancellationToken token) {
  auto save = [store = options_.store, game, version](const rt::StopFlag&) {
    if (!version) return store->remove_download(game);
    store::StoredDownload row;
    row.game = game;
    row.version = *version;
    return store->put_download(row);
  };
  const Result<void> saved = co_await rt::offload(*options_.store_thread, std::move(save), token);
  if (!saved) log_.warn("the list of downloads could not be saved: " + saved.error().message);
}

rt::Task<void> Downloads::run(std::shared_ptr<Active> active, rt::CancellationToken token) {
  try {
    co_await run_in_turn(active, token);
  } catch (const rt::Cancelled&) {
    if (!token.requested()) throw;
  }
  // Not under the download's token: it may be what ended it.
  if (!stopping_ && active->version_known) co_await persist(active->game, std::nullopt, rt::CancellationToken());
  if (active->cancelled && !stopping_) {
    // After the guard, so that whoever hears the event finds the tables clear.
    active->state = DownloadState::cancelled;
    past_.insert_or_assign(active->game, info(*active));
    if (active->begun) tell(*active, DownloadEvent::Kind::cancelled);
  }
}

rt::Task<void> Downloads::wait_turn(Active& active, rt::CancellationToken token) {
  for (;;) {
    const bool first = std::ranges::all_of(active_, [&](const auto& each) {
      const Active& other = *each.second;
      return &other == &active || other.state != DownloadState::queued || !other.version_known ||
             other.position > active.position;
    });
    if (first && running_ < options_.parallel) co_return;
    turn_.reset();
    co_await turn_.wait(token);
  }
}

/// For a download that waits for a peer: until somebody offers the game, or the time is over.
rt::Task<void> Downloads::wait_for_version(Active& active, rt::CancellationToken token) {
  for (;;) {
    const std::vector<RemoteVersion> offered = options_.table->versions(active.game);
    if (active.version_known) {
      if (std::ranges::find(offered, active.version, &RemoteVersion::version) != offered.end()) co_return;
    } else if (const RemoteVersion* chosen = choose_version(offered, options_.wall_clock())) {
      active.version = chosen->version;
      active.version_known = true;
      active.size = chosen->size;
      co_return;
    }
    table_changed_.reset();
    const rt::TimePoint now = scope_.executor().now();
    if (active.wait_until != rt::TimePoint::max()) {
      if (now >= active.wait_until) co_return;
      rt::Deadline deadline(scope_.executor(), active.wait_until - now, token);
      try {
        co_await table_changed_.wait(deadline.token());
      } catch (const rt::Cancelled&) {
        if (token.requested()) throw;
      }
    } else {
      co_await table_changed_.wait(token);
    }
  }
}

rt::Task<void> Downloads::run_in_turn(std::shared_ptr<Active> active, rt::CancellationToken token) {
  Guard guard(*this, active);
  if (active->wait) co_await wait_for_version(*active, token);
  if (!active->version_known || options_.table->sources(active->game, active->version).empty()) {
    active->state = DownloadState::failed;
    active->error = Error{ErrorCode::no_peer_has_it, "no peer with " + active->game + " appeared in time", 0};
    tell(*active, DownloadEvent::Kind::failed);
    co_return;
  }
  if (installed(active->game, active->version)) {
    active->state = DownloadState::finished;  // the last run published it and was stopped before it could say so
    co_return;
  }
  co_await persist(active->game, active->version, token);
  co_await wait_turn(*active, token);
  guard.count_as_running();
  active->state = DownloadState::downloading;
  active->began = scope_.executor().now();
  active->begun = true;
  active->download = std::make_unique<transfer::Download>(
      scope_, options_.context, active->game, active->version,
      [this, active = active.get()] { tell(*active, DownloadEvent::Kind::progress); });
  active->download->restrict_to(active->from);
  active->download->wait_for_sources(active->wait);
  turn_.set();  // the next in the queue may be first now
  log_.info("download of " + active->game + " " + active->version.brief() + " begins");
  tell(*active, DownloadEvent::Kind::begin);

  transfer::DownloadOutcome outcome = co_await active->download->run(token);
  switch (outcome.kind) {
    case transfer::DownloadOutcome::Kind::finished: {
      const Result<void> adopted =
          co_await options_.library->adopt(active->game, *outcome.document, rt::CancellationToken());
      if (!adopted) log_.warn(active->game + " is complete but not offered yet: " + adopted.error().message);
      active->state = DownloadState::finished;
      log_.info("download of " + active->game + " is complete");
      tell(*active, DownloadEvent::Kind::finished);
      break;
    }
    case transfer::DownloadOutcome::Kind::failed:
      active->state = DownloadState::failed;
      active->error = std::move(outcome.error);
      log_.error("download of " + active->game + " failed: " + active->error->message);
      tell(*active, DownloadEvent::Kind::failed);
      break;
    case transfer::DownloadOutcome::Kind::peers_gone:
      active->state = DownloadState::peers_gone;
      active->error =
          Error{ErrorCode::peers_gone, "every peer with " + active->game + " went away; what was received is kept", 0};
      log_.warn("download of " + active->game + ": " + active->error->message);
      tell(*active, DownloadEvent::Kind::all_peers_gone);
      break;
  }
}

rt::Task<void> Downloads::restore(rt::CancellationToken token) {
  auto load = [store = options_.store](const rt::StopFlag&) { return store->downloads(); };
  const auto rows = co_await rt::offload(*options_.store_thread, std::move(load), token);
  if (!rows) {
    log_.warn("the downloads of the last run could not be read: " + rows.error().message);
    co_return;
  }
  for (const store::StoredDownload& row : *rows) {
    if (active_.contains(row.game)) continue;
    auto active = std::make_shared<Active>(scope_.token());
    active->game = row.game;
    active->version = row.version;
    active->version_known = true;
    active->wait = true;
    active->position = next_position_++;
    active_.emplace(row.game, active);
    log_.info("download of " + row.game + " goes on when a peer with it appears");
    scope_.spawn("download " + row.game, run(active, active->stop.token()));
  }
}

void Downloads::sources_changed() {
  table_changed_.set();
  for (auto& [game, active] : active_) {
    if (active->download) active->download->sources_changed();
  }
}

rt::Task<void> Downloads::stop() {
  stopping_ = true;
  scope_.request_stop();
  co_await scope_.join();
}

}  // namespace peer::node
