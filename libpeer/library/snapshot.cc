#include "libpeer/library/snapshot.h"

#include <algorithm>

namespace peer::library {

std::string_view to_string(GameState state) noexcept {
  switch (state) {
    case GameState::ready: return "ready";
    case GameState::hashing: return "hashing";
    case GameState::downloading: return "downloading";
    case GameState::modified: return "modified";
    case GameState::damaged: return "damaged";
    case GameState::unshareable: return "unshareable";
  }
  return "unshareable";
}

bool OfferedGame::holds(std::size_t first_chunk, std::size_t count) const {
  if (intact.empty()) return true;
  const auto first = intact.begin() + static_cast<std::ptrdiff_t>(first_chunk);
  return std::find(first, first + static_cast<std::ptrdiff_t>(count), false) ==
         first + static_cast<std::ptrdiff_t>(count);
}

bool OfferedGame::holds_file(std::size_t file) const {
  const protocol::ManifestFile& entry = document->manifest.files[file];
  return stamps[file] != store::FileStamp{} && stamps[file].size == entry.size &&
         holds(entry.first_chunk, entry.chunk_count());
}

const LocalGame* Snapshot::find(std::string_view id) const {
  const auto at =
      std::ranges::lower_bound(games, id, {}, [](const auto& game) -> std::string_view { return game->id; });
  return at != games.end() && (*at)->id == id ? at->get() : nullptr;
}

std::vector<protocol::GameSummary> Snapshot::summaries() const {
  std::vector<protocol::GameSummary> all;
  for (const auto& game : games) {
    if (!game->offered) continue;
    const protocol::ManifestDocument& document = *game->offered->document;
    all.push_back({game->id, game->offered->version, document.manifest.total_size(), document.manifest.files.size(),
                   document.times.modified});
  }
  return all;
}

}  // namespace peer::library
