// ManifestChecker: checks the rules of a manifest, entry by entry in path order, without copying entries.
//
// Source: docs/protocol.md, section 7.3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/base/result.h"

namespace peer::protocol {

/// The kind byte of the canonical encoding.
enum class EntryKind : std::uint8_t { file = 0, executable = 1, directory = 2, symlink = 3 };
inline constexpr std::uint8_t kEntryKinds = 4;

struct ManifestEntry {
  EntryKind kind = EntryKind::file;
  std::string_view path;
  std::uint64_t size = 0;   ///< only of a file
  std::string_view target;  ///< only of a symlink
  bool is_file() const noexcept { return kind == EntryKind::file || kind == EntryKind::executable; }
};

/// Time: O(bytes of all paths). The views must stay valid until finish().
class ManifestChecker {
 public:
  void add(const ManifestEntry& entry);
  /// Fails: invalid; the message lists the first problems and counts the others.
  Result<void> finish();

  std::size_t files() const noexcept { return files_; }
  std::size_t directories() const noexcept { return directories_; }
  std::size_t symlinks() const noexcept { return symlinks_; }
  std::uint64_t chunks() const noexcept { return chunks_; }

 private:
  void check_place(const ManifestEntry& entry);
  void offend(std::string_view path, std::string_view problem);

  std::size_t files_ = 0;
  std::size_t directories_ = 0;
  std::size_t symlinks_ = 0;
  std::uint64_t chunks_ = 0;
  std::uint64_t total_size_ = 0;
  std::uint64_t encoded_ = 0;
  bool size_overflow_ = false;
  // The entries whose paths are prefixes of the latest path. In path order, all paths with a given prefix follow it
  // directly, so these suffice to find a path below a file. At most one entry for each byte of the path.
  std::vector<ManifestEntry> beginnings_;
  std::size_t offenders_ = 0;
  std::string offences_;
};

}  // namespace peer::protocol
