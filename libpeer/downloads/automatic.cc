// downloads.auto: games that are fetched, and kept up to date, by themselves.
//
// Whatever a person could begin with `download GAME` is begun: the default choice, which never replaces a version by an
// older one. What a person cancels or removes is left alone for the rest of the run.
#include <fnmatch.h>

#include <algorithm>
#include <utility>

#include "libpeer/downloads/downloads_state.h"
#include "libpeer/runtime/sleep.h"

namespace peer::downloads {

using namespace std::chrono_literals;

namespace {
/// Peers and games come in bursts: the choice is better when they are all there.
constexpr runtime::Duration kGather = 1s;
/// After one that came to nothing, and after one that failed twice.
constexpr runtime::Duration kRetry = 1min;
constexpr runtime::Duration kLateRetry = 10min;
}  // namespace

bool Downloads::is_automatic(const std::string& game) const {
  return std::ranges::any_of(options_.automatic,
                             [&](const std::string& glob) { return fnmatch(glob.c_str(), game.c_str(), 0) == 0; });
}

void Downloads::reconfigure(std::size_t parallel, std::uint64_t reserve, std::vector<std::string> automatic) {
  options_.parallel = parallel;
  options_.context.reserve = reserve;
  options_.automatic = std::move(automatic);
  turn_.set();
  automatic_due_.set();
}

void Downloads::begin_automatic(const std::string& game) {
  if (active_.contains(game) || dismissed_.contains(game) || !is_automatic(game)) return;
  const auto past = past_.find(game);
  const bool finished = past != past_.end() && past->second.state == api::DownloadState::finished;
  const bool failed = past != past_.end() && past->second.state == api::DownloadState::failed;
  const auto retry = retry_at_.find(game);
  if (!finished && retry != retry_at_.end() && scope_.executor().now() < retry->second) return;
  const auto snapshot = options_.library->snapshot();
  const library::LocalGame* local = snapshot->find(game);
  // A folder that no download installed is its user's own.
  if (local != nullptr && (!local->offered || !local->downloaded || local->root != options_.context.root)) return;
  const Result<Choice> choice = choose(game, std::nullopt, {});
  if (!choice || choice->here) return;
  api::StartDownload command;
  command.game = game;
  const Result<api::DownloadInfo> begun = start(command);
  if (!begun) return;
  if (const auto active = active_.find(game); active != active_.end()) active->second->automatic = true;
  retry_at_[game] = scope_.executor().now() + (failed ? kLateRetry : kRetry);
  log_.game(game).info(game + " " + choice->version.brief() + " is fetched by itself: downloads.auto names it");
}

runtime::Task<void> Downloads::keep_up_to_date(runtime::CancellationToken token) {
  for (;;) {
    const runtime::Duration wait = retry_at_.empty() ? runtime::Duration(1h) : kRetry;
    co_await automatic_due_.wait_for(scope_.executor(), wait, token);
    co_await runtime::sleep_for(scope_.executor(), kGather, token);
    automatic_due_.reset();
    if (stopping_) continue;
    std::erase_if(retry_at_, [now = scope_.executor().now()](const auto& each) { return each.second <= now; });
    if (options_.automatic.empty()) continue;
    for (const auto& [game, versions] : options_.table->catalogue()) begin_automatic(game);
  }
}

}  // namespace peer::downloads
