#include "libpeer/library/game_entry.h"

#include "libpeer/protocol/path.h"

namespace peer::library {

GameEntry::GameEntry(std::string directory_name, std::string library_root)
    : name(std::move(directory_name)), root(std::move(library_root)) {
  // The id equals the name unless the name is illegal.
  shown.id = protocol::game_id_problem(name) ? protocol::printable(name) : name;
  shown.root = root;
}

LocalGame describe(const GameEntry& entry, const ScannedGame& scan, GameState state) {
  LocalGame game;
  game.id = entry.shown.id;
  game.root = entry.root;
  game.state = state;
  game.size = scan.size;
  game.files = scan.files.size();
  game.downloaded = entry.record != nullptr;
  game.problems = scan.problems;
  for (const std::string& root : entry.shadowed_roots) {
    game.problems.push_back(
        {protocol::printable(root + "/" + entry.name), "is ignored: the game in " + entry.root + " is used"});
  }
  return game;
}

}  // namespace peer::library
