#include "libpeer/node/library_news.h"

namespace peer::node {

api::LocalLibraryChanged LibraryNews::update(const library::Snapshot& snapshot) {
  api::LocalLibraryChanged news;
  std::erase_if(known_, [&](const auto& each) {
    const auto& [id, was_offered] = each;
    const bool gone = snapshot.find(id) == nullptr;
    if (gone && was_offered) news.removed.push_back(id);
    return gone;
  });
  for (const auto& game : snapshot.games) {
    const bool offered = game->offered != nullptr;
    if (started_ && !offered && !known_.contains(game->id)) continue;
    const auto [at, is_new] = known_.try_emplace(game->id, false);
    at->second = at->second || offered;
    if (is_new && started_) news.added.push_back(game->id);
  }
  started_ = started_ || snapshot.complete;
  return news;
}

}  // namespace peer::node
