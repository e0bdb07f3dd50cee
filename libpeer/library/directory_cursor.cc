#include "libpeer/library/directory_cursor.h"

namespace peer::library {

Result<store::Directory*> DirectoryCursor::parent_of(std::string_view path) {
  std::size_t depth = 0;
  store::Directory* directory = top_.get();
  for (std::size_t slash; (slash = path.find('/')) != path.npos; path.remove_prefix(slash + 1), ++depth) {
    const std::string_view name = path.substr(0, slash);
    if (depth == open_.size() || open_[depth].name != name) {
      open_.resize(depth);
      auto next = directory->open_directory(name, false);
      if (!next) return std::unexpected(next.error());
      open_.push_back({std::string(name), std::move(*next)});
    }
    directory = open_[depth].directory.get();
  }
  return directory;
}

Result<std::unique_ptr<store::Directory>> open_game(store::Disk& disk, const std::string& root, const std::string& game,
                                                    const LinkPolicy* bounds) {
  const auto directory = disk.open(root, false, false);
  if (!directory) return std::unexpected(directory.error());
  auto opened = open_game(**directory, game, bounds);
  if (!opened) return std::unexpected(opened.error());
  return std::move(opened->directory);
}

}  // namespace peer::library
