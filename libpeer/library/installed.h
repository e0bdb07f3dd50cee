// Installed: which version a download put into a game's directory, however its files have been changed since.
//
// ROOT/.peerd/installed/GAME is the version's document as it was received. A game without one is its user's own: what
// lies there is its version. Loop: none; workers.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "libpeer/base/result.h"
#include "libpeer/protocol/manifest.h"
#include "libpeer/store/disk.h"
#include "libpeer/store/store.h"

namespace peer::library {

inline constexpr std::string_view kPeerdName = ".peerd";
inline constexpr std::string_view kInstalledName = "installed";

struct Installed {
  Digest version;
  std::shared_ptr<const protocol::ManifestDocument> document;
  store::FileStamp stamp;  ///< of the record
};

/// Null: none is recorded, or what is recorded cannot be read. `known` is given back if the record has not changed.
Result<std::shared_ptr<const Installed>> read_installed(store::Directory& root, const std::string& game,
                                                        std::shared_ptr<const Installed> known);

/// From now on the game is its user's own. No record is no error.
Result<void> forget_installed(store::Directory& root, const std::string& game);

}  // namespace peer::library
