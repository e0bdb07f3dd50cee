// The hash cache's rows in the state database: the files of each game, with their stamps and chunk hashes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libpeer/store/state_database.h"
#include "libpeer/store/store.h"

namespace peer::store {

SqliteResult<std::vector<CachedFile>> load_cached_files(StateDatabase& state, std::string_view root,
                                                        std::string_view game);
/// Inserts the rows of `files`, replacing those of the same paths. Needs a transaction.
SqliteResult<void> save_cached_files(StateDatabase& state, std::string_view root, std::string_view game,
                                     const std::vector<CachedFile>& files);
/// Deletes the rows of paths that are not in `keep` (sorted). Needs a transaction.
SqliteResult<void> prune_cached_files(StateDatabase& state, std::string_view root, std::string_view game,
                                      const std::vector<std::string>& keep);

}  // namespace peer::store
