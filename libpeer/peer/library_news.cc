#include "peer/library_news.h"

namespace peer::node {

LocalLibraryChanged LibraryNews::take(const library::Snapshot& snapshot) {
  LocalLibraryChanged news;
  std::erase_if(known_, [&](const std::string& id) {
    const bool gone = snapshot.find(id) == nullptr;
    if (gone) news.removed.push_back(id);
    return gone;
  });
  for (const auto& game : snapshot.games) {
    const bool is_new = started_ && game->offered != nullptr;
    if (started_ && !is_new) continue;
    if (known_.insert(game->id).second && is_new) news.added.push_back(game->id);
  }
  started_ = started_ || snapshot.complete;
  return news;
}

}  // namespace peer::node
