// The look at a game that a download installed: whatever has become of its files, its version stays what was installed,
// and is offered less the chunks that are no longer intact.
#include "libpeer/library/hash_run.h"

namespace peer::library {

void Examiner::show_installed(Entry& entry, const ScannedGame& scan, const InstalledGame& judged, GameState state) {
  LocalGame game = describe(entry, scan, state);
  if (!judged.nothing) game.offered = judged.offered;
  show(entry, std::move(game));
}

runtime::Task<InstalledGame> Examiner::judge(Entry& entry, std::shared_ptr<const ScannedGame> scan,
                                             const KnownChunks& known, runtime::CancellationToken token) {
  const auto job = [&scan, &known, installed = entry.installed, shown = entry.shown.offered](const runtime::StopFlag&) {
    return judge_installed(*scan, known, *installed, shown);
  };
  InstalledGame judged = co_await runtime::offload(parts_.workers, job, token);
  token.throw_if_requested();
  co_return judged;
}

runtime::Task<Examiner::Again> Examiner::examine_installed(Entry& entry, std::shared_ptr<const ScannedGame> scanned,
                                                           runtime::CancellationToken token) {
  KnownChunks known = co_await consult_cache(entry, scanned, token);
  InstalledGame judged = co_await judge(entry, scanned, known, token);
  const bool stale_rows = known.stale_rows;
  if (!judged.unknown.empty()) {
    // What was added is nobody's business; only what may still be the version's is read.
    known.missing = judged.unknown;
    const bool offers = entry.shown.offered != nullptr && !judged.nothing;
    show_installed(entry, *scanned, judged, offers ? GameState::modified : GameState::hashing);
    if (const Again again = not_at_rest(entry, *scanned, false)) co_return again;
    const std::optional<Again> unfinished = co_await hash_missing(entry, scanned, known, token);
    if (unfinished) co_return *unfinished;
    judged = co_await judge(entry, scanned, known, token);
  }
  if (judged.nothing) {
    parts_.log.game(entry.shown.id)
        .info(entry.shown.id + " is no longer the version that was installed: it counts as one of its own");
    entry.disowned = entry.installed->stamp;
    entry.installed = nullptr;
    co_return runtime::Duration::zero();
  }
  show_installed(entry, *scanned, judged, judged.same ? GameState::ready : GameState::modified);
  if (stale_rows) co_await prune(entry, scanned, token);
  co_return std::nullopt;
}

}  // namespace peer::library
