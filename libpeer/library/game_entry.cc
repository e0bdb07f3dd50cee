#include "libpeer/library/game_entry.h"

#include "libpeer/protocol/path.h"

namespace peer::library {

GameEntry::GameEntry(std::string directory_name, std::string library_root)
    : name(std::move(directory_name)), root(std::move(library_root)) {
  // The id equals the name unless the name is illegal.
  shown.id = protocol::game_id_problem(name) ? protocol::printable(name) : name;
  shown.root = root;
}

}  // namespace peer::library
