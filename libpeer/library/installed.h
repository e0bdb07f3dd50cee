// Installed record: the version that a download installed in a game's directory, whatever happens to its files later.
//
// The record is the file ROOT/.peerd/installed/GAME: the manifest document as received. A game without a record is an
// own game: its version is whatever the directory contains. Loop: none; workers.
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

struct InstalledRecord {
  Digest version;
  std::shared_ptr<const protocol::ManifestDocument> document;
  store::FileStamp stamp;  ///< of the record's file
};

/// Null if there is no readable record. Returns `known` if the record's stamp has not changed.
Result<std::shared_ptr<const InstalledRecord>> read_installed(store::Directory& root, const std::string& game,
                                                              std::shared_ptr<const InstalledRecord> known);

/// Deletes the record, so that the game becomes an own game. Succeeds if there is no record.
Result<void> forget_installed(store::Directory& root, const std::string& game);

}  // namespace peer::library
