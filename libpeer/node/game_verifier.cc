#include "libpeer/node/game_verifier.h"

#include <algorithm>
#include <utility>

#include "libpeer/protocol/path.h"
#include "libpeer/runtime/defer.h"
#include "libpeer/transfer/rate_limit.h"

namespace peer::node {

namespace {
constexpr std::uint64_t kBytesPerJob = 8 << 20;
constexpr runtime::Duration kProgressInterval = std::chrono::milliseconds(250);
}  // namespace

GameVerifier::GameVerifier(runtime::Executor& executor, store::Disk& disk, runtime::Workers& workers,
                           library::Library& library, downloads::Downloads& downloads, EventEmitter& events,
                           std::function<void()> on_damage_changed, Log log)
    : executor_(executor),
      disk_(disk),
      workers_(workers),
      library_(library),
      downloads_(downloads),
      events_(events),
      on_damage_changed_(std::move(on_damage_changed)),
      log_(std::move(log)) {}

std::shared_ptr<const library::LocalGame> GameVerifier::with_damage(
    std::shared_ptr<const library::LocalGame> local) const {
  const auto damage = damaged_.find(local->id);
  if (damage == damaged_.end()) return local;
  library::LocalGame shown = *local;
  shown.state = library::GameState::damaged;
  for (const std::string& path : damage->second.paths) {
    shown.problems.push_back({path, "differs from the installed version: 'peerctl verify --repair' fetches it again"});
  }
  return std::make_shared<const library::LocalGame>(std::move(shown));
}

const api::VerifyProgress* GameVerifier::comparing(const std::string& game) const {
  const auto found = in_progress_.find(game);
  return found == in_progress_.end() || found->second.repairing ? nullptr : &found->second;
}

/// The version to compare a game with. For a damaged game, this is the version that was installed, although its files
/// are now another version.
Result<GameVerifier::Damage> GameVerifier::expected(const library::LocalGame& local) const {
  if (const auto known = damaged_.find(local.id); known != damaged_.end()) return known->second;
  if (local.offered && local.offered->document) return Damage{local.offered->version, local.offered->document, {}};
  return fail(ErrorCode::busy, local.id + " is not hashed yet: try again when 'peerctl games' shows it as ready");
}

/// Leaves out files that the library knows to be changed or deleted: the user did that, so it is not damage.
std::vector<std::string> GameVerifier::unexplained(const library::LocalGame& local, const Damage& damage,
                                                   const std::vector<std::string>& paths) {
  const library::OfferedGame* offered = local.offered.get();
  if (offered == nullptr || offered->version != damage.version) return paths;
  std::vector<std::string> unexplained;
  for (const std::string& path : paths) {
    const auto file = offered->document->manifest.file_at(path);
    const bool known =
        file && !offered->holds_file(*file) && std::ranges::find(damage.paths, path) == damage.paths.end();
    if (!known) unexplained.push_back(path);
  }
  return unexplained;
}

void GameVerifier::emit_progress(const std::string& game, const Digest& version) {
  if (!muted_) events_.emit(api::VerifyEvent{game, version, in_progress_.at(game)});
}

runtime::Task<Result<void>> GameVerifier::compare_files(staging::Verifier& verifier, std::string game, Digest version,
                                                        std::uint64_t rate, runtime::CancellationToken token) {
  transfer::RateLimit limit(executor_);
  limit.set(rate);
  api::VerifyProgress& progress = in_progress_.at(game);
  progress.bytes_total = verifier.bytes_total();
  runtime::TimePoint next_event = executor_.now();
  while (!verifier.done()) {
    if (executor_.now() >= next_event) {
      emit_progress(game, version);
      next_event = executor_.now() + kProgressInterval;
    }
    const std::uint64_t most = limit.piece(kBytesPerJob);
    auto read = [&verifier, most](const runtime::StopFlag& stop) { return verifier.read(most, stop); };
    const Result<std::uint64_t> bytes = co_await runtime::offload(workers_, std::move(read), token);
    if (!bytes) co_return std::unexpected(bytes.error());
    token.throw_if_requested();
    progress.bytes_done = verifier.bytes_done();
    progress.damaged = verifier.damaged().size();
    co_await limit.pass(*bytes, token);
  }
  co_return Result<void>();
}

/// Fails: cancelled if the command was abandoned.
runtime::Task<Result<void>> GameVerifier::compare(staging::Verifier& verifier, api::VerifyGame command, Digest version,
                                                  runtime::CancellationToken token) {
  runtime::CancellationSource comparing(token);
  const runtime::CancelHook abandoned(command.abandoned, [&comparing] { comparing.request(); });
  try {
    co_return co_await compare_files(verifier, command.game, version, command.rate, comparing.token());
  } catch (const runtime::Cancelled&) {
    if (token.requested() || !comparing.token().requested()) throw;
  }
  log_.game(command.game).info("verify of " + command.game + " stopped: the client disconnected");
  co_return fail(ErrorCode::cancelled, "the verify of \"" + protocol::printable(command.game) + "\" was stopped");
}

void GameVerifier::report_damage(const library::LocalGame& local, Damage damage,
                                 const std::vector<std::string>& damaged) {
  std::vector<std::string> paths = unexplained(local, damage, damaged);
  if (paths.empty()) return;
  const std::string& game = local.id;
  log_.game(game).warn(game + " is damaged: " + std::to_string(paths.size()) + " files differ from version " +
                       damage.version.brief() + ", first " + protocol::printable(paths.front()));
  damage.paths = std::move(paths);
  damaged_.insert_or_assign(game, std::move(damage));
  library_.withdraw(game);
  on_damage_changed_();
}

runtime::Task<Result<void>> GameVerifier::repair(std::string game, Digest version, runtime::CancellationToken token) {
  in_progress_.at(game).repairing = true;
  emit_progress(game, version);
  // The scan hashes the damaged files, so that the repair reuses their intact chunks instead of fetching them.
  const Result<void> scanned = co_await library_.rescan(game, token);
  if (!scanned) co_return scanned;
  const Result<bool> repaired = co_await downloads_.repair(game, version, token);
  if (!repaired) co_return std::unexpected(repaired.error());
  damaged_.erase(game);
  on_damage_changed_();
  co_return Result<void>();
}

runtime::Task<Result<api::Verdict>> GameVerifier::verify_game(const library::LocalGame& local, Damage damage,
                                                              api::VerifyGame command,
                                                              runtime::CancellationToken token) {
  const std::string game = command.game;
  const bool wants_repair = command.repair;
  const Digest version = damage.version;
  staging::Verifier verifier(disk_, local.root, local.id, damage.document, local.bounds);
  const Result<void> compared = co_await compare(verifier, std::move(command), version, token);
  if (!compared) co_return std::unexpected(compared.error());
  emit_progress(game, version);
  api::Verdict verdict;
  verdict.game = game;
  verdict.version = version;
  verdict.damaged = verifier.damaged();
  verdict.bytes = verifier.bytes_read();
  events_.counters().verified += verdict.bytes;
  events_.counters().damaged += verdict.damaged.size();
  if (verdict.damaged.empty()) {
    if (damaged_.erase(game) > 0) on_damage_changed_();
    co_return verdict;
  }
  report_damage(local, std::move(damage), verdict.damaged);
  if (!wants_repair) co_return verdict;
  const Result<void> repaired = co_await repair(game, version, token);
  if (!repaired) co_return std::unexpected(repaired.error());
  verdict.repaired = true;
  co_return verdict;
}

runtime::Task<Result<api::Verdict>> GameVerifier::verify(api::VerifyGame command, runtime::CancellationToken token) {
  const std::string game = command.game;
  const auto snapshot = library_.snapshot();
  const library::LocalGame* local = snapshot->find(game);
  if (local == nullptr) co_return fail(ErrorCode::not_found, "\"" + protocol::printable(game) + "\" is not installed");
  Result<Damage> damage = expected(*local);
  if (!damage) co_return std::unexpected(damage.error());
  if (!in_progress_.try_emplace(game).second) {
    co_return fail(ErrorCode::busy, game + " is already being verified: wait until that has ended");
  }
  const runtime::Defer forget_progress([&] { in_progress_.erase(game); });
  co_return co_await verify_game(*local, std::move(*damage), std::move(command), std::move(token));
}

}  // namespace peer::node
