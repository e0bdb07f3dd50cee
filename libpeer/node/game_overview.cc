#include "libpeer/node/game_overview.h"

#include <algorithm>
#include <map>
#include <utility>

#include "libpeer/protocol/path.h"
#include "libpeer/transfer/fetch_manifest.h"

namespace peer::node {

namespace {
constexpr std::uint64_t kMaxShownFiles = 10'000;

void list_files(api::GameDetails& details, const protocol::Manifest& manifest, std::uint64_t offset,
                std::uint64_t limit) {
  const auto& files = manifest.files;
  details.files_total = files.size();
  limit = std::min(limit, kMaxShownFiles);
  for (std::uint64_t i = offset; i < files.size() && i - offset < limit; ++i) {
    details.files.push_back({files[i].path, files[i].size, files[i].executable});
  }
}
}  // namespace

/// A game that is not installed while it is being downloaded.
std::shared_ptr<const library::LocalGame> GameOverview::downloading_game(const api::DownloadInfo& download,
                                                                         const api::GameInfo& game, std::string root) {
  library::LocalGame partial;
  partial.id = download.game;
  partial.root = std::move(root);
  partial.state = library::GameState::downloading;
  partial.size = download.bytes_total;
  const auto offered = std::ranges::find(game.remote, download.version, &api::RemoteVersion::version);
  if (offered != game.remote.end()) partial.files = offered->files;
  return std::make_shared<const library::LocalGame>(std::move(partial));
}

std::vector<api::GameInfo> GameOverview::list() const {
  const auto snapshot = library_.snapshot();
  std::map<std::string, api::GameInfo> all;
  for (const auto& local : snapshot->games) all[local->id].local = verifier_.with_damage(local);
  for (auto& [id, versions] : peers_.catalogue()) all[id].remote = std::move(versions);
  for (const api::DownloadInfo& download : downloads_.list()) {
    api::GameInfo& game = all[download.game];
    const bool known = download.version != Digest{} && download.bytes_total != 0;
    if (game.local == nullptr && known && downloads_.downloading(download.game)) {
      game.local = downloading_game(download, game, options_.settings.roots.front());
    }
  }
  std::vector<api::GameInfo> list;
  for (auto& [id, game] : all) {
    if (game.local == nullptr && game.remote.empty()) continue;
    game.id = id;
    if (const api::VerifyProgress* progress = verifier_.comparing(id)) game.verifying = *progress;
    list.push_back(std::move(game));
  }
  return list;
}

std::optional<api::GameInfo> GameOverview::find(const std::string& game) const {
  for (api::GameInfo& each : list()) {
    if (each.id == game) return std::move(each);
  }
  return std::nullopt;
}

runtime::Task<Result<GameOverview::ManifestPtr>> GameOverview::fetch_manifest(std::string game, Digest version,
                                                                              runtime::CancellationToken token) const {
  transfer::ManifestSearch search;
  search.net = options_.environment.net;
  search.transport = &transport_;
  search.workers = options_.environment.workers;
  search.random = options_.environment.random;
  search.game = game;
  search.version = version;
  search.sources = [this, game, version] { return peers_.sources(game, version); };
  co_return co_await transfer::find_manifest(*options_.environment.control, std::move(search), token);
}

runtime::Task<Result<api::GameDetails>> GameOverview::details(api::ShowGame command,
                                                              runtime::CancellationToken token) const {
  std::optional<api::GameInfo> game = find(command.game);
  if (!game) {
    co_return fail(ErrorCode::not_found, "no game \"" + protocol::printable(command.game) +
                                             "\" here or on any connected peer: 'peerctl games' lists all games");
  }
  api::GameDetails details;
  details.game = std::move(*game);
  const auto matches = [&](const Digest& version) {
    return !command.version || version.hex().starts_with(*command.version);
  };
  const library::OfferedGame* offered = details.game.local ? details.game.local->offered.get() : nullptr;
  if (offered != nullptr && matches(offered->version)) {
    details.version = offered->version;
    list_files(details, offered->document->manifest, command.offset, command.limit);
    co_return details;
  }
  std::vector<api::RemoteVersion> remote;
  std::ranges::copy_if(details.game.remote, std::back_inserter(remote),
                       [&](const api::RemoteVersion& each) { return matches(each.version); });
  const api::RemoteVersion* chosen = downloads::choose_version(remote, options_.environment.wall_clock());
  if (chosen == nullptr) {
    if (!command.version && details.game.local) co_return details;  // installed and not hashed yet: no file list
    co_return fail(ErrorCode::unavailable,
                   "no connected peer has version \"" + command.version.value_or("") + "\" of " + command.game);
  }
  details.version = chosen->version;
  const Result<ManifestPtr> document = co_await fetch_manifest(command.game, chosen->version, token);
  if (!document) co_return std::unexpected(document.error());
  list_files(details, (*document)->manifest, command.offset, command.limit);
  co_return details;
}

}  // namespace peer::node
