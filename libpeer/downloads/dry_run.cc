#include "libpeer/downloads/dry_run.h"

#include <algorithm>
#include <utility>

#include "libpeer/protocol/path.h"
#include "libpeer/staging/estimate.h"
#include "libpeer/transfer/fetch_manifest.h"

namespace peer::downloads {

namespace {
/// Assumed until a rate has been measured: a gigabit network.
constexpr double kAssumedRate = 100e6;
/// A smaller download is too short to measure a rate.
constexpr std::uint64_t kMinMeasuredBytes = 10'000'000;

runtime::Task<Result<transfer::ManifestPtr>> manifest_of(runtime::Scope& parent, const DownloadsOptions& options,
                                                         std::string game, Digest version, std::set<PeerId> from,
                                                         runtime::CancellationToken token) {
  transfer::ManifestSearch search;
  search.net = options.context.net;
  search.transport = options.context.transport;
  search.workers = options.context.workers;
  search.random = options.context.random;
  search.game = game;
  search.version = version;
  search.sources = [&options, game, version, from] {
    const transfer::DownloadTerms terms{game, version, from};
    return transfer::eligible_sources(options.context, terms);
  };
  co_return co_await transfer::find_manifest(parent, std::move(search), token);
}

/// Sets the figures of an estimate, and the error if the game does not fit.
void apply(const staging::Estimate& estimate, const transfer::DownloadContext& context, api::DownloadInfo& info) {
  info.bytes_total = estimate.total;
  info.bytes_done = estimate.staged;
  info.bytes_reused = estimate.reused;
  info.plan->receive = estimate.received;
  info.plan->space_needed = estimate.needed;
  info.plan->space_available = estimate.available;
  info.plan->reserve = context.reserve;
  info.eta_s = static_cast<double>(estimate.received) / info.plan->rate;
  if (estimate.needed + context.reserve <= estimate.available) return;
  info.error = Error{ErrorCode::no_space,
                     info.game + " needs " + std::to_string(estimate.needed) + " bytes beside the reserve of " +
                         std::to_string(context.reserve) + " bytes, but only " + std::to_string(estimate.available) +
                         " bytes are available in " + context.root,
                     0};
}
}  // namespace

double expected_rate(const DownloadTable& table, const transfer::RateLimit* limit) {
  double rate = 0;
  for (const auto& [game, past] : table.past()) {
    if (past.elapsed_s <= 0 || past.bytes_timed < kMinMeasuredBytes) continue;
    rate = std::max(rate, static_cast<double>(past.bytes_timed) / past.elapsed_s);
  }
  if (rate == 0) rate = kAssumedRate;
  if (limit != nullptr && limit->rate() != 0) rate = std::min(rate, static_cast<double>(limit->rate()));
  return rate;
}

runtime::Task<Result<api::DownloadInfo>> dry_run(runtime::Scope& parent, const DownloadsOptions& options,
                                                 const VersionChooser& chooser, double rate, api::StartDownload command,
                                                 runtime::CancellationToken token) {
  if (const auto problem = protocol::game_id_problem(command.game)) {
    co_return fail(ErrorCode::invalid, "\"" + protocol::printable(command.game) + "\" is not a game id: " + *problem);
  }
  const Result<std::set<PeerId>> from = chooser.resolve(command.from);
  if (!from) co_return std::unexpected(from.error());
  const Result<VersionChoice> choice = chooser.choose(command.game, command.version, *from);
  if (!choice) co_return std::unexpected(choice.error());
  api::DownloadInfo info;
  info.game = command.game;
  info.version = choice->version;
  info.bytes_total = choice->size;
  info.plan.emplace();
  if (choice->installed) {
    info.state = api::DownloadState::finished;
    info.bytes_done = info.bytes_reused = choice->size;
    co_return info;
  }
  const auto document = co_await manifest_of(parent, options, command.game, choice->version, *from, token);
  if (!document) co_return std::unexpected(document.error());
  auto estimate_job = [disk = options.context.disk, root = options.context.root, game = command.game,
                       version = choice->version, document = *document,
                       snapshot = options.library->snapshot()](const runtime::StopFlag& stop) {
    return staging::estimate_download(*disk, root, game, version, document->manifest, *snapshot, stop);
  };
  const Result<staging::Estimate> estimate =
      co_await runtime::offload(*options.context.workers, std::move(estimate_job), token);
  if (!estimate) co_return std::unexpected(estimate.error());
  info.plan->rate = rate;
  apply(*estimate, options.context, info);
  for (const api::RemoteVersion& offered : options.table->versions(command.game, *from)) {
    if (offered.version != choice->version) continue;
    for (const PeerId& peer : offered.peers) info.sources.push_back({peer, 0});
  }
  co_return info;
}

}  // namespace peer::downloads
