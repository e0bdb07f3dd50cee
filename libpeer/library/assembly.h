// From a scan, the cache and fresh hashes to a version that can be offered. Pure; on workers, for games are large.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libpeer/base/result.h"
#include "libpeer/library/installed.h"
#include "libpeer/library/library.h"
#include "libpeer/library/scan.h"
#include "libpeer/store/store.h"

namespace peer::library {

/// The chunk hashes of a scan's files, one entry a file.
struct KnownChunks {
  std::vector<std::vector<Digest>> chunks;
  std::vector<std::size_t> missing;     ///< the files without
  std::uint64_t bytes = 0;              ///< size of the files with
  std::vector<std::size_t> other_bits;  ///< OfferedGame::other_bits
  bool stale_rows = false;              ///< the cache has files the scan has not
};

KnownChunks match_cache(const ScannedGame& scan, std::vector<store::CachedFile> cached);

/// How a scan stands to what is offered.
struct Comparison {
  bool same = false;    ///< nothing changed
  bool intact = false;  ///< every offered file is as it was; something was added
};
Comparison compare(const ScannedGame& scan, const OfferedGame& offered);

/// What is left of an installed version.
struct InstalledGame {
  std::shared_ptr<const OfferedGame> offered;
  bool same = false;                 ///< nothing was changed, added or deleted
  bool nothing = false;              ///< no chunk of it: another game lies there now
  std::vector<std::size_t> unknown;  ///< files of the scan whose content has to be read to tell
};
/// Files that `known` does not know count as changed. `shown` is given back if it says the same.
InstalledGame judge_installed(const ScannedGame& scan, const KnownChunks& known, const Installed& installed,
                              std::shared_ptr<const OfferedGame> shown);

/// Fails: invalid, when the manifest breaks a rule or limit.
Result<std::shared_ptr<const OfferedGame>> assemble(const ScannedGame& scan, KnownChunks known);

/// A manifest whose files were just put in place under `root`: checks that each is there in its size.
/// Fails: disk_error, naming the first that is not.
Result<std::shared_ptr<const OfferedGame>> adopt_installed(store::Disk& disk, const std::string& root,
                                                           const std::string& game, protocol::ManifestDocument document,
                                                           const Bounds* bounds);

/// The cache's rows for all of an offered version.
std::vector<store::CachedFile> rows_of(const OfferedGame& offered);

}  // namespace peer::library
