// Verify and repair: an installed game against its version's hashes. What is damaged is withdrawn, and shown as damaged
// until a download has put the version whole in its place.
#include <algorithm>
#include <utility>

#include "libpeer/node/runtime_state.h"
#include "libpeer/protocol/path.h"
#include "libpeer/staging/verifier.h"

namespace peer::node {

namespace {
constexpr std::uint64_t kSlice = 8 << 20;  // read by one job
constexpr runtime::Duration kTellInterval = std::chrono::milliseconds(250);
}  // namespace

std::shared_ptr<const library::LocalGame> PeerMain::with_damage(std::shared_ptr<const library::LocalGame> local) const {
  const auto damage = damaged_.find(local->id);
  if (damage == damaged_.end()) return local;
  library::LocalGame shown = *local;
  shown.state = library::GameState::damaged;
  for (const std::string& path : damage->second.paths) {
    shown.problems.push_back({path, "is not what was installed: 'peerctl verify --repair' fetches it"});
  }
  return std::make_shared<const library::LocalGame>(std::move(shown));
}

/// Of what is not as it was installed: what the library does not know of. That a file was changed or deleted by hand
/// shows by its stamp, and is no damage.
std::vector<std::string> PeerMain::unexpected(const library::LocalGame& local, const Damage& damage,
                                              const std::vector<std::string>& paths) {
  const library::OfferedGame* offered = local.offered.get();
  if (offered == nullptr || offered->version != damage.version) return paths;
  std::vector<std::string> news;
  for (const std::string& path : paths) {
    const auto file = offered->document->manifest.file_at(path);
    const bool known =
        file && !offered->holds_file(*file) && std::ranges::find(damage.paths, path) == damage.paths.end();
    if (!known) news.push_back(path);
  }
  return news;
}

void PeerMain::tell_verify(const std::string& game, const Digest& version) {
  if (!stopping_.is_set()) emit(api::VerifyEvent{game, version, verifying_.at(game)});
}

/// Reads them all; how far it is stands in the table.
runtime::Task<Result<void>> PeerMain::compare_files(staging::Verifier& verifier, std::string game, Digest version,
                                                    std::uint64_t rate, runtime::CancellationToken token) {
  transfer::RateLimit limit(root_->executor());
  limit.set(rate);
  api::VerifyProgress& progress = verifying_.at(game);
  progress.bytes_total = verifier.bytes_total();
  runtime::TimePoint next_news = root_->executor().now();
  while (!verifier.done()) {
    if (root_->executor().now() >= next_news) {
      tell_verify(game, version);
      next_news = root_->executor().now() + kTellInterval;
    }
    const std::uint64_t most = limit.piece(kSlice);
    auto read = [&verifier, most](const runtime::StopFlag& stop) { return verifier.read(most, stop); };
    const Result<std::uint64_t> bytes = co_await runtime::offload(*environment_.workers, std::move(read), token);
    if (!bytes) co_return std::unexpected(bytes.error());
    token.throw_if_requested();
    progress.bytes_done = verifier.bytes_done();
    progress.damaged = verifier.damaged().size();
    co_await limit.pass(*bytes, token);
  }
  co_return Result<void>();
}

runtime::Task<Result<api::Verdict>> PeerMain::verify_game(api::VerifyGame command, runtime::CancellationToken token) {
  const std::string game = std::move(command.game);
  const auto snapshot = library_->snapshot();
  const library::LocalGame* local = snapshot->find(game);
  if (local == nullptr) {
    co_return fail(ErrorCode::not_found, "no game " + protocol::printable(game) + " is installed here");
  }
  // Once found damaged it is compared with what it was, not with what it has become.
  Damage damage;
  if (const auto known = damaged_.find(game); known != damaged_.end()) {
    damage = known->second;
  } else if (local->offered && local->offered->document) {
    damage = {local->offered->version, local->offered->document, {}};
  } else {
    co_return fail(ErrorCode::busy, game + " is not hashed yet: try again when 'peerctl games' shows it as ready");
  }
  if (!verifying_.try_emplace(game).second) co_return fail(ErrorCode::busy, game + " is being verified already");
  struct Over {
    std::map<std::string, api::VerifyProgress>& verifying;
    const std::string& name;
    ~Over() { verifying.erase(name); }
  };
  const Over over{verifying_, game};

  staging::Verifier verifier(*environment_.disk, local->root, local->id, damage.document, local->bounds);
  Result<void> compared;
  {
    runtime::CancellationSource comparing(token);
    const runtime::CancelHook abandoned(command.abandoned, [&comparing] { comparing.request(); });
    bool stopped = false;
    try {
      compared = co_await compare_files(verifier, game, damage.version, command.rate, comparing.token());
    } catch (const runtime::Cancelled&) {
      if (token.requested() || !comparing.token().requested()) throw;
      stopped = true;
    }
    if (stopped) {
      log_.game(game).info("verify of " + game + " is stopped: nobody waits for its verdict any more");
      co_return fail(ErrorCode::cancelled, "the verify of \"" + protocol::printable(game) + "\" was stopped");
    }
  }
  if (!compared) co_return std::unexpected(compared.error());
  tell_verify(game, damage.version);
  api::Verdict verdict;
  verdict.game = game;
  verdict.version = damage.version;
  verdict.damaged = verifier.damaged();
  verdict.bytes = verifier.bytes_read();
  counters_.verified += verdict.bytes;
  counters_.damaged += verdict.damaged.size();
  if (verdict.damaged.empty()) {
    if (damaged_.erase(game) > 0) library_changed_.set();
    co_return verdict;
  }
  const std::vector<std::string> news = unexpected(*local, damage, verdict.damaged);
  if (!news.empty()) {
    log_.game(game).warn(game + " is damaged: " + std::to_string(news.size()) + " files are not what version " +
                         damage.version.brief() + " says, first " + protocol::printable(news.front()));
    damage.paths = news;
    damaged_.insert_or_assign(game, damage);
    library_->withdraw(game);
    library_changed_.set();
  }
  if (!command.repair) co_return verdict;

  verifying_.at(game).repairing = true;
  tell_verify(game, damage.version);
  // What is right in the damaged files is found by its hash once they are looked at anew, and is not fetched.
  const Result<void> looked = co_await library_->rescan(game, token);
  if (!looked) co_return std::unexpected(looked.error());
  const Result<bool> repaired = co_await downloads_->repair(game, damage.version, token);
  if (!repaired) co_return std::unexpected(repaired.error());
  damaged_.erase(game);
  library_changed_.set();
  verdict.repaired = true;
  co_return verdict;
}

}  // namespace peer::node
