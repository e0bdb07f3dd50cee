// What a download would take: download --dry-run.
#include <algorithm>
#include <utility>

#include "libpeer/downloads/downloads_state.h"
#include "libpeer/protocol/path.h"
#include "libpeer/runtime/call_on.h"
#include "libpeer/staging/estimate.h"

namespace peer::downloads {

namespace {
/// What is assumed where nothing was measured yet: a gigabit network.
constexpr double kAssumedRate = 100e6;
/// Less tells nothing of a rate.
constexpr std::uint64_t kTellingBytes = 10'000'000;
}  // namespace

/// As the latest downloads went, within the limit.
double Downloads::expected_rate() const {
  double rate = 0;
  for (const auto& [game, past] : past_) {
    if (past.elapsed_s <= 0 || past.bytes_timed < kTellingBytes) continue;
    rate = std::max(rate, static_cast<double>(past.bytes_timed) / past.elapsed_s);
  }
  if (rate == 0) rate = kAssumedRate;
  const transfer::RateLimit* down = options_.context.down;
  if (down != nullptr && down->rate() != 0) rate = std::min(rate, static_cast<double>(down->rate()));
  return rate;
}

runtime::Task<Result<std::shared_ptr<const protocol::ManifestDocument>>> Downloads::manifest_of(
    std::string game, Digest version, std::set<PeerId> from, runtime::CancellationToken token) {
  Error last{ErrorCode::unavailable, "no peer has " + game, 0};
  for (const transfer::SourcePeer& source : options_.table->sources(game, version)) {
    if (!from.empty() && !from.contains(source.id)) continue;
    transfer::ManifestJob job;
    job.transport = options_.context.transport;
    job.workers = options_.context.workers;
    job.peer = source;
    job.game = game;
    job.version = version;
    auto start = [job](runtime::CancellationToken t) { return transfer::fetch_manifest(job, t); };
    auto got = co_await runtime::call_on(*options_.context.net, "manifest of " + game, std::move(start), token);
    if (got) co_return std::move(*got);
    last = got.error();
  }
  co_return std::unexpected(last);
}

runtime::Task<Result<api::DownloadInfo>> Downloads::plan(api::StartDownload command, runtime::CancellationToken token) {
  if (const auto problem = protocol::game_id_problem(command.game)) {
    co_return fail(ErrorCode::invalid, protocol::printable(command.game) + " is no game: " + *problem);
  }
  const Result<std::set<PeerId>> from = resolve(command.from);
  if (!from) co_return std::unexpected(from.error());
  const Result<Choice> choice = choose(command.game, command.version, *from);
  if (!choice) co_return std::unexpected(choice.error());
  api::DownloadInfo info;
  info.game = command.game;
  info.version = choice->version;
  info.bytes_total = choice->size;
  info.plan.emplace();
  if (choice->here) {
    info.state = api::DownloadState::finished;
    info.bytes_done = info.bytes_reused = choice->size;
    co_return info;
  }
  const auto document = co_await manifest_of(command.game, choice->version, *from, token);
  if (!document) co_return std::unexpected(document.error());
  auto look = [disk = options_.context.disk, root = options_.context.root, game = command.game,
               version = choice->version, document = *document,
               snapshot = options_.library->snapshot()](const runtime::StopFlag& stop) {
    return staging::estimate_download(*disk, root, game, version, document->manifest, *snapshot, stop);
  };
  const Result<staging::Estimate> estimate =
      co_await runtime::offload(*options_.context.workers, std::move(look), token);
  if (!estimate) co_return std::unexpected(estimate.error());
  info.bytes_total = estimate->total;
  info.bytes_done = estimate->staged;
  info.bytes_reused = estimate->reused;
  info.plan->receive = estimate->received;
  info.plan->space_needed = estimate->needed;
  info.plan->space_available = estimate->available;
  info.plan->reserve = options_.context.reserve;
  info.plan->rate = expected_rate();
  info.eta_s = static_cast<double>(estimate->received) / info.plan->rate;
  for (const api::RemoteVersion& offered : options_.table->versions(command.game, *from)) {
    if (offered.version != choice->version) continue;
    for (const PeerId& peer : offered.peers) info.sources.push_back({peer, 0});
  }
  const std::uint64_t needed = estimate->needed + options_.context.reserve;
  if (needed > estimate->available) {
    info.error = Error{ErrorCode::no_space,
                       command.game + " does not fit: it needs " + std::to_string(estimate->needed) + " bytes, " +
                           std::to_string(options_.context.reserve) + " are to stay free, and " +
                           std::to_string(estimate->available) + " are available in " + options_.context.root,
                       0};
  }
  co_return info;
}

}  // namespace peer::downloads
