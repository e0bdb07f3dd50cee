// ManifestChecker: the rules of a manifest, applied to its entries one by one in path order, without copying any.
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

struct Entry {
  EntryKind kind = EntryKind::file;
  std::string_view path;
  std::uint64_t size = 0;   ///< of a file
  std::string_view target;  ///< of a symlink
  bool is_file() const noexcept { return kind == EntryKind::file || kind == EntryKind::executable; }
};

/// Costs O(bytes of all paths). What the views point to must stay until finish().
class ManifestChecker {
 public:
  void add(const Entry& entry);
  /// Fails: invalid, with the first offenders by name and the number of the others.
  Result<void> finish();

  std::size_t files() const noexcept { return files_; }
  std::size_t directories() const noexcept { return directories_; }
  std::size_t symlinks() const noexcept { return symlinks_; }
  std::uint64_t chunks() const noexcept { return chunks_; }

 private:
  void check_place(const Entry& entry);
  void offend(std::string_view path, std::string_view problem);

  std::size_t files_ = 0;
  std::size_t directories_ = 0;
  std::size_t symlinks_ = 0;
  std::uint64_t chunks_ = 0;
  std::uint64_t total_size_ = 0;
  std::uint64_t encoded_ = 0;
  bool size_overflow_ = false;
  // The entries so far whose paths are beginnings, byte for byte, of the latest path: in path order all that starts
  // with a path follows it directly, so what is below a file is found without looking further back. At most one for
  // each byte.
  std::vector<Entry> beginnings_;
  std::size_t offenders_ = 0;
  std::string offences_;
};

}  // namespace peer::protocol
