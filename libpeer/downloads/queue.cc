// The queue as people steer it: pause, resume, move, cancel; and what of it is kept over restarts.
#include <algorithm>
#include <charconv>
#include <utility>

#include "libpeer/downloads/downloads_state.h"
#include "libpeer/protocol/path.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/staging/trash.h"

namespace peer::downloads {

using namespace std::chrono_literals;

namespace {
/// How far the payload told to the store lags behind.
constexpr runtime::Duration kSaveInterval = 1s;
constexpr runtime::Duration kForgetPause = 1s;
constexpr std::chrono::seconds kLongestWait = std::chrono::years(1);
constexpr unsigned kForgetTries = 60;
}  // namespace

/// "version=PREFIX auto=1 from=PEER wait=SECONDS reused=BYTES"; each word is absent if it does not apply. The wait is
/// what was left of it, not a deadline. 0.1.0 did not write reused=.
std::string Downloads::format_options(const Active& active, runtime::TimePoint now) {
  std::string text;
  if (active.wanted) text += "version=" + *active.wanted + " ";
  if (active.automatic) text += "auto=1 ";
  for (const PeerId& peer : active.from) text += "from=" + peer.hex() + " ";
  if (active.wait.brought()) {
    text += "wait=" + std::to_string(std::chrono::ceil<std::chrono::seconds>(active.wait.left(now)).count()) + " ";
  }
  if (const std::uint64_t bytes = reused(active); bytes > 0) text += "reused=" + std::to_string(bytes) + " ";
  return text;
}

/// What cannot be read is as if it had not been asked for.
void Downloads::parse_options(std::string_view text, Active& active, runtime::TimePoint now) {
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    const std::size_t equals = word.find('=');
    if (equals == word.npos) continue;
    const std::string_view value = word.substr(equals + 1);
    if (word.starts_with("version=")) {
      active.wanted = std::string(value);
    } else if (word == "auto=1") {
      active.automatic = true;
    } else if (word.starts_with("from=")) {
      if (const auto peer = PeerId::from_hex(value)) active.from.insert(*peer);
    } else if (word.starts_with("wait=")) {
      std::int64_t seconds = 0;
      std::from_chars(value.data(), value.data() + value.size(), seconds);
      active.wait.bring(std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, kLongestWait.count())), now);
    } else if (word.starts_with("reused=")) {
      std::from_chars(value.data(), value.data() + value.size(), active.progress.bytes_reused);
    }
  }
}

Result<std::shared_ptr<Downloads::Active>> Downloads::under_way(const std::string& game) const {
  const auto found = active_.find(game);
  if (found != active_.end()) return found->second;
  const std::string name = "\"" + protocol::printable(game) + "\"";
  const auto past = past_.find(game);
  if (past == past_.end()) {
    return fail(ErrorCode::no_such_game, "no download of " + name + " is under way: 'peerctl downloads' lists them");
  }
  switch (past->second.state) {
    case api::DownloadState::finished:
      return fail(ErrorCode::no_such_game, "the download of " + name + " has finished already");
    case api::DownloadState::cancelled:
      return fail(ErrorCode::no_such_game, "the download of " + name +
                                               " was cancelled, and what it had received is deleted: 'peerctl "
                                               "download' begins it anew");
    default:
      return fail(ErrorCode::no_such_game, "the download of " + name +
                                               " has ended; what it received is kept: 'peerctl resume' puts it into "
                                               "the queue again, 'peerctl cancel' deletes it");
  }
}

/// A new attempt at what failed or lost its peers: the same version, from the same peers, on top of what was received.
Result<std::shared_ptr<Downloads::Active>> Downloads::again(const std::string& game) const {
  const auto found = past_.find(game);
  const bool resumable = found != past_.end() && (found->second.state == api::DownloadState::failed ||
                                                  found->second.state == api::DownloadState::peers_gone);
  if (!resumable) return under_way(game);  // which says why not
  const Past& past = found->second;
  auto active = std::make_shared<Active>(scope_.token());
  active->game = game;
  active->version = past.version;
  active->version_known = active->pinned = past.version != Digest{};
  active->wanted = past.wanted;
  active->repair = past.repair;
  active->automatic = past.automatic;
  active->from.insert(past.from.begin(), past.from.end());
  active->be_patient();
  active->size = active->progress.bytes_total = past.bytes_total;
  active->progress.bytes_done = past.bytes_done;
  carry_on(*active);
  active->saved = active->received_before;
  return active;
}

std::vector<std::shared_ptr<Downloads::Active>> Downloads::in_order() const {
  std::vector<std::shared_ptr<Active>> ordered;
  ordered.reserve(active_.size());
  for (const auto& [game, active] : active_) ordered.push_back(active);
  std::ranges::sort(ordered, {}, [](const auto& active) { return active->position; });
  return ordered;
}

/// Since the download first began. What a crash kept the store from hearing of lies in the staging still.
std::uint64_t Downloads::received(const Active& active) {
  if (!active.download) return active.received_before;
  const transfer::Progress progress = active.download->progress();
  std::uint64_t bytes = active.received_before;
  for (const auto& [id, received] : progress.sources) bytes += received;
  return std::max(bytes, progress.bytes_received);
}

/// Bytes copied from other games on this disk since the download first began.
std::uint64_t Downloads::reused(const Active& active) {
  if (active.download) {
    const transfer::Progress progress = active.download->progress();
    if (progress.bytes_total != 0) return progress.bytes_reused;
  }
  return active.progress.bytes_reused;
}

/// The part of received() that came while elapsed() counted, so that their quotient is a rate.
std::uint64_t Downloads::timed(const Active& active) {
  std::uint64_t bytes = active.timed_before;
  if (!active.download) return bytes;
  for (const auto& [id, received] : active.download->progress().sources) bytes += received;
  return bytes;
}

runtime::Duration Downloads::elapsed(const Active& active) const {
  if (!active.download) return active.elapsed_before;
  return active.elapsed_before + (scope_.executor().now() - active.began);
}

runtime::Task<Result<api::DownloadInfo>> Downloads::pause(std::string game, runtime::CancellationToken token) {
  const auto found = under_way(game);
  if (!found) co_return std::unexpected(found.error());
  const std::shared_ptr<Active>& active = *found;
  active->paused = true;
  active->wait.hold(scope_.executor().now());
  // One that is being put in place is all there: it ends instead.
  const bool publishing = active->download && active->download->progress().phase == transfer::Phase::publishing;
  if (active->attempt != nullptr && !publishing) active->attempt->request();
  while (active->paused && active->attempt != nullptr && !active->over) {
    active->changed.reset();
    co_await active->changed.wait(token);
  }
  co_await save(active, token);
  co_return info(*active);
}

runtime::Task<Result<api::DownloadInfo>> Downloads::resume(std::string game, runtime::CancellationToken token) {
  co_await let_end(game, token);
  if (!active_.contains(game)) {
    Result<std::shared_ptr<Active>> begun = again(game);
    if (!begun) co_return std::unexpected(begun.error());
    if ((*begun)->repair) {  // whether the game is still damaged is for verify to find out
      co_return fail(ErrorCode::no_such_game, "the repair of \"" + protocol::printable(game) +
                                                  "\" has ended: 'peerctl verify --repair' tries it again");
    }
    past_.erase(game);
    dismissed_.erase(game);
    enter(*begun);
    co_await save(*begun, token);
    co_return info(**begun);
  }
  const auto found = under_way(game);
  if (!found) co_return std::unexpected(found.error());
  const std::shared_ptr<Active>& active = *found;
  active->try_now = active->trouble.has_value();
  if (!active->paused) {
    active->changed.set();
    co_return info(*active);
  }
  active->paused = false;
  if (active->state == api::DownloadState::paused) active->state = api::DownloadState::queued;
  active->wait.go_on(scope_.executor().now());
  active->be_patient();
  active->changed.set();
  co_await save(active, token);
  co_return info(*active);
}

runtime::Task<Result<api::DownloadInfo>> Downloads::move(std::string game, std::uint64_t position,
                                                         runtime::CancellationToken token) {
  const auto found = under_way(game);
  if (!found) co_return std::unexpected(found.error());
  if (position == 0) co_return fail(ErrorCode::invalid, "positions count from 1");
  std::vector<std::shared_ptr<Active>> order = in_order();
  std::erase(order, *found);
  const auto place = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(position - 1, order.size()));
  order.insert(order.begin() + place, *found);
  std::vector<std::shared_ptr<Active>> moved;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (std::exchange(order[i]->position, i + 1) != i + 1) moved.push_back(order[i]);
  }
  next_position_ = order.size() + 1;
  turn_.set();
  for (const auto& each : moved) co_await save(each, token);
  co_return info(**found);
}

runtime::Task<Result<bool>> Downloads::cancel(std::string game, runtime::CancellationToken token) {
  co_await let_end(game, token);
  if (!active_.contains(game)) {
    // What it received is deleted as that of a running one is, so that nobody begins it anew meanwhile.
    Result<std::shared_ptr<Active>> begun = again(game);
    if (!begun) co_return std::unexpected(begun.error());
    if (!(*begun)->version_known) {
      co_return fail(ErrorCode::no_such_game, "the download of \"" + protocol::printable(game) +
                                                  "\" has ended, and received nothing: there is nothing to cancel");
    }
    enter(*begun);
  }
  const auto found = under_way(game);
  if (!found) co_return std::unexpected(found.error());
  const std::shared_ptr<Active>& active = *found;
  if (!active->ending) active->cancelled = true;
  dismissed_.insert(game);
  if (active->cancelled && active->download) active->download->discard();
  active->stop.request();
  while (!active->over) {
    active->changed.reset();
    co_await active->changed.wait(token);
  }
  co_return true;
}

runtime::Task<Result<bool>> Downloads::repair(std::string game, Digest version, runtime::CancellationToken token) {
  if (active_.contains(game)) co_return fail(ErrorCode::busy, game + " is being downloaded: let that end first");
  auto active = std::make_shared<Active>(scope_.token());
  active->game = game;
  active->version = version;
  active->version_known = true;
  active->pinned = true;
  active->repair = true;
  if (!offered(*active)) {
    co_return fail(ErrorCode::no_peer_has_it, "no connected peer has version " + version.brief() + " of " + game +
                                                  ", so it cannot be repaired now");
  }
  past_.erase(game);
  enter(active);
  while (!active->over) {
    active->changed.reset();
    co_await active->changed.wait(token);
  }
  if (active->state == api::DownloadState::finished) co_return true;
  if (active->error) co_return std::unexpected(*active->error);
  co_return fail(ErrorCode::cancelled, "the repair of " + game + " was cancelled");
}

runtime::Task<Result<bool>> Downloads::discard(std::string game, runtime::CancellationToken token) {
  if (active_.contains(game)) co_return fail(ErrorCode::busy, game + " is being downloaded: cancel that first");
  co_return co_await discard_staging(std::move(game), token);
}

runtime::Task<Result<bool>> Downloads::discard_staging(std::string game, runtime::CancellationToken token) {
  auto discard = [disk = options_.context.disk, root = options_.context.root, game](const runtime::StopFlag&) {
    return staging::discard_staging(*disk, root, game);
  };
  Result<bool> discarded = co_await runtime::offload(*options_.context.workers, std::move(discard), token);
  if (discarded && *discarded && !stopping_) scope_.spawn("empty the trash", empty_trash(scope_.token()));
  co_return discarded;
}

void Downloads::removed(const std::string& game) {
  past_.erase(game);
  dismissed_.insert(game);
  if (!stopping_) scope_.spawn("empty the trash", empty_trash(scope_.token()));
}

/// In the background: what is in there is out of everybody's sight. What a stop leaves the next start deletes.
runtime::Task<void> Downloads::empty_trash(runtime::CancellationToken token) {
  auto empty = [disk = options_.context.disk, root = options_.context.root](const runtime::StopFlag& stop) {
    return staging::empty_trash(*disk, root, stop);
  };
  const Result<void> emptied = co_await runtime::offload(*options_.context.workers, std::move(empty), token);
  if (!emptied && emptied.error().code != ErrorCode::cancelled) {
    log_.warn("what was removed could not be deleted for good: " + emptied.error().message);
  }
}

/// Its row in the store, as long as it is under way.
runtime::Task<void> Downloads::save(std::shared_ptr<Active> active, runtime::CancellationToken token) {
  if (active->over || active->ending) co_return;
  store::StoredDownload row;
  row.game = active->game;
  row.version = active->version_known ? active->version : Digest{};
  row.options = format_options(*active, scope_.executor().now());
  row.position = static_cast<std::int64_t>(active->position);
  row.paused = active->paused;
  row.received = active->saved = received(*active);
  active->saved_reused = reused(*active);
  row.elapsed_ms = std::chrono::duration_cast<std::chrono::milliseconds>(elapsed(*active)).count();
  row.timed = timed(*active);
  active->saved_at = scope_.executor().now();
  auto put = [store = options_.store, row = std::move(row)](const runtime::StopFlag&) {
    return store->put_download(row);
  };
  const Result<void> saved = co_await runtime::offload(*options_.store_thread, std::move(put), token);
  if (!saved) log_.warn("the list of downloads could not be saved: " + saved.error().message);
}

runtime::Task<void> Downloads::put_on_record(std::string game, runtime::CancellationToken token) {
  const auto found = active_.find(game);
  if (found != active_.end()) co_await save(found->second, token);
}

void Downloads::save_progress(Active& active) {
  const auto found = active_.find(active.game);
  if (stopping_ || found == active_.end() || found->second.get() != &active) return;
  if (scope_.executor().now() - active.saved_at < kSaveInterval) return;
  if (received(active) == active.saved && reused(active) == active.saved_reused) return;
  active.saved_at = scope_.executor().now();
  scope_.spawn("save download", save(found->second, scope_.token()));
}

/// A full disk that keeps the store from it has room again soon: what was cancelled is being deleted.
runtime::Task<void> Downloads::forget(std::string game) {
  for (unsigned tries = 1;; ++tries) {
    auto remove = [store = options_.store, game](const runtime::StopFlag&) { return store->remove_download(game); };
    const Result<void> removed =
        co_await runtime::offload(*options_.store_thread, std::move(remove), runtime::CancellationToken());
    if (removed) co_return;
    if (tries == 1) log_.warn("the list of downloads could not be saved: " + removed.error().message);
    if (tries == kForgetTries || stopping_ || active_.contains(game)) co_return;
    co_await runtime::sleep_for(scope_.executor(), kForgetPause, scope_.token());
    if (active_.contains(game)) co_return;  // it was asked for again, and has a row of its own
  }
}

runtime::Task<void> Downloads::restore(runtime::CancellationToken token) {
  scope_.spawn("empty the trash", empty_trash(scope_.token()));
  auto load = [store = options_.store](const runtime::StopFlag&) { return store->downloads(); };
  const auto rows = co_await runtime::offload(*options_.store_thread, std::move(load), token);
  token.throw_if_requested();
  if (!rows) {
    log_.warn("the downloads of the last run could not be read: " + rows.error().message);
    co_return;
  }
  for (const store::StoredDownload& row : *rows) {
    if (active_.contains(row.game)) continue;
    auto active = std::make_shared<Active>(scope_.token());
    active->game = row.game;
    active->version = row.version;
    active->version_known = row.version != Digest{};
    active->pinned = active->version_known;
    parse_options(row.options, *active, scope_.executor().now());
    active->be_patient();
    active->paused = row.paused;
    if (row.paused) active->wait.hold(scope_.executor().now());
    active->received_before = active->saved = row.received;
    active->elapsed_before = std::chrono::milliseconds(std::max<std::int64_t>(row.elapsed_ms, 0));
    active->timed_before = row.timed;
    log_.game(row.game).info(
        "download of " + row.game +
        (row.paused ? " stays paused: 'peerctl resume' lets it go on" : " goes on when a peer with it appears"));
    enter(std::move(active));
  }
}

}  // namespace peer::downloads
