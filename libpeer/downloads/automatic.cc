#include "libpeer/downloads/automatic.h"

#include <fnmatch.h>

#include <algorithm>
#include <utility>

#include "libpeer/runtime/sleep.h"

namespace peer::downloads {

using namespace std::chrono_literals;

namespace {
/// Peers and games appear in bursts. The default version is chosen when the burst has ended.
constexpr runtime::Duration kGather = 1s;
/// Time before another attempt, after the first failure and after further ones.
constexpr runtime::Duration kRetry = 1min;
constexpr runtime::Duration kLateRetry = 10min;
}  // namespace

AutomaticDownloads::AutomaticDownloads(runtime::Executor& executor, const DownloadsOptions& options,
                                       const DownloadTable& table, const VersionChooser& chooser, Start start,
                                       const Log& log)
    : executor_(executor), options_(options), table_(table), chooser_(chooser), start_(std::move(start)), log_(log) {}

bool AutomaticDownloads::is_named(const std::string& game) const {
  return std::ranges::any_of(options_.automatic,
                             [&](const std::string& glob) { return fnmatch(glob.c_str(), game.c_str(), 0) == 0; });
}

void AutomaticDownloads::start_if_due(const std::string& game) {
  if (table_.contains(game) || dismissed_.contains(game) || !is_named(game)) return;
  const PastDownload* past = table_.past(game);
  const bool finished = past != nullptr && past->state == api::DownloadState::finished;
  const bool failed = past != nullptr && past->state == api::DownloadState::failed;
  const auto retry = retry_at_.find(game);
  if (!finished && retry != retry_at_.end() && executor_.now() < retry->second) return;
  const auto snapshot = options_.library->snapshot();
  const library::LocalGame* local = snapshot->find(game);
  // An own game, or one in another root, is never replaced.
  if (local != nullptr && (!local->offered || !local->downloaded || local->root != options_.context.root)) return;
  const Result<VersionChoice> choice = chooser_.choose(game, std::nullopt, {});
  if (!choice || choice->installed) return;
  api::StartDownload command;
  command.game = game;
  if (!start_(command)) return;
  if (const auto entry = table_.find(game)) entry->request.automatic = true;
  retry_at_[game] = executor_.now() + (failed ? kLateRetry : kRetry);
  log_.game(game).info("automatic download of " + game + " " + choice->version.brief() + ": named by downloads.auto");
}

runtime::Task<void> AutomaticDownloads::run(const bool& stopping, runtime::CancellationToken token) {
  for (;;) {
    const runtime::Duration wait = retry_at_.empty() ? runtime::Duration(1h) : kRetry;
    co_await due_.wait_for(executor_, wait, token);
    co_await runtime::sleep_for(executor_, kGather, token);
    due_.reset();
    if (stopping) continue;
    std::erase_if(retry_at_, [now = executor_.now()](const auto& each) { return each.second <= now; });
    if (options_.automatic.empty()) continue;
    for (const auto& [game, versions] : options_.table->catalogue()) start_if_due(game);
  }
}

}  // namespace peer::downloads
