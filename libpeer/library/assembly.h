// Assembly: turns a scan, cached hashes and fresh hashes into a version that can be offered.
//
// Pure functions, except adopt_installed(). Loop: none; they run on workers, because games are large.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libpeer/base/result.h"
#include "libpeer/library/installed.h"
#include "libpeer/library/scan.h"
#include "libpeer/library/snapshot.h"
#include "libpeer/store/store.h"

namespace peer::library {

/// The chunk hashes of a scan's files, one entry per file.
struct KnownChunks {
  std::vector<std::vector<Digest>> chunks;
  std::vector<std::size_t> missing;               ///< sorted indices of files without hashes
  std::uint64_t bytes = 0;                        ///< total size of the files with hashes
  std::vector<std::size_t> lost_executable_bits;  ///< OfferedGame::lost_executable_bits
  bool stale_rows = false;                        ///< the cache has files that the scan did not find
};

KnownChunks match_cache(const ScannedGame& scan, std::vector<store::CachedFile> cached);

/// A scan compared with the version that is offered.
struct Comparison {
  bool same = false;    ///< nothing was changed, added or deleted
  bool intact = false;  ///< every offered file is unchanged; files may have been added
};
Comparison compare(const ScannedGame& scan, const OfferedGame& offered);

/// How much of an installed version a scan still finds.
struct InstalledMatch {
  std::shared_ptr<const OfferedGame> offered;
  bool same = false;                  ///< nothing was changed, added or deleted
  bool none_intact = false;           ///< no chunk is left: the directory now holds another game
  std::vector<std::size_t> unhashed;  ///< files of the scan that must be hashed to decide
};
/// A file without hashes in `known` counts as changed. Returns `shown` as `offered` if it is still accurate.
InstalledMatch match_installed(const ScannedGame& scan, const KnownChunks& known, const InstalledRecord& record,
                               std::shared_ptr<const OfferedGame> shown);

/// Makes the manifest and the offered version. Fails: invalid if the manifest breaks a rule or limit.
Result<std::shared_ptr<const OfferedGame>> assemble(const ScannedGame& scan, KnownChunks known);

/// Makes the offered version of a game that was just installed under `root`. Fails: disk_error, naming the first file
/// that is missing or has a wrong size.
Result<std::shared_ptr<const OfferedGame>> adopt_installed(store::Disk& disk, const std::string& root,
                                                           const std::string& game, protocol::ManifestDocument document,
                                                           const LinkPolicy* bounds);

/// The cache rows of all files of an offered version.
std::vector<store::CachedFile> rows_of(const OfferedGame& offered);

}  // namespace peer::library
