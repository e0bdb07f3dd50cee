#include "libpeer/transfer/partial_games.h"

#include <algorithm>
#include <utility>

#include "libpeer/base/check.h"

namespace peer::transfer {

void PartialGames::put(std::shared_ptr<PartialGame> game) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<PartialGame>& place = games_[game->game];
  if (place) place->over = true;
  place = std::move(game);
}

void PartialGames::remove(const std::string& game) {
  const std::lock_guard lock(mutex_);
  const auto found = games_.find(game);
  if (found == games_.end()) return;
  found->second->over = true;
  games_.erase(found);
}

std::shared_ptr<const PartialGame> PartialGames::find(const std::string& game) const {
  const std::lock_guard lock(mutex_);
  const auto found = games_.find(game);
  return found == games_.end() ? nullptr : found->second;
}

Result<void> StagedReader::fill(Position& at, std::span<std::uint8_t> into) {
  const auto& files = game_->version->document->manifest.files;
  while (!into.empty()) {
    PEER_CHECK(at.file < files.size());
    const std::uint64_t left = files[at.file].size - at.offset;
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, into.size()));
    if (count > 0) {
      if (game_->over) return fail(ErrorCode::not_found, game_->game + " is no longer being downloaded");
      if (!file_ || open_file_ != at.file) {
        auto opened = game_->staging->open_file(at.file);
        if (!opened) return std::unexpected(opened.error());
        file_ = std::move(*opened);
        open_file_ = at.file;
      }
      const auto read = file_->read_at(into.first(count), at.offset);
      if (!read) return std::unexpected(read.error());
      if (*read != count)
        return fail(ErrorCode::disk_error, "a staged file of " + game_->game + " is shorter than its manifest says");
    }
    into = into.subspan(count);
    at.offset += count;
    if (at.offset == files[at.file].size) at = {at.file + 1, 0};
  }
  return {};
}

}  // namespace peer::transfer
