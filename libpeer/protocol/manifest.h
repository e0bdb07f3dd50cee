// Manifest: the complete, ordered list of what a game consists of. Its BLAKE3-256 over the canonical encoding is the
// version.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/base/digest.h"
#include "libpeer/base/result.h"
#include "libpeer/protocol/limits.h"

namespace peer::protocol {

struct ManifestFile {
  std::string path;
  std::uint64_t size = 0;
  bool executable = false;
  std::size_t first_chunk = 0;  ///< index into Manifest::chunks; derived
  std::size_t chunk_count() const noexcept { return static_cast<std::size_t>((size + kChunkSize - 1) / kChunkSize); }
};

struct ManifestSymlink {
  std::string path;
  std::string target;
};

/// One chunk's place.
struct ChunkPlace {
  std::size_t file;      ///< index into files
  std::uint64_t offset;  ///< in the file
  std::uint32_t size;
};

/// Files, directories and symlinks are each sorted by path, bytewise; no path occurs twice or lies below a file or
/// symlink.
struct Manifest {
  std::vector<ManifestFile> files;
  std::vector<std::string> directories;  ///< only the empty ones
  std::vector<ManifestSymlink> symlinks;
  std::vector<Digest> chunks;  ///< of all files, in order

  std::uint64_t total_size() const noexcept;
  ChunkPlace place(std::size_t chunk) const;  ///< chunk < chunks.size(); O(log files)
  /// The file's index; nothing if there is none. O(log files)
  std::optional<std::size_t> file_at(std::string_view path) const;
  std::size_t memory() const noexcept;  ///< bytes held, about
};

/// Travels beside the manifest, outside the hash; advisory. Nanoseconds since 1970.
struct ManifestTimes {
  std::int64_t modified = 0;             ///< the latest
  std::vector<std::int64_t> file_times;  ///< one a file, or empty
};

struct ManifestDocument {
  Manifest manifest;
  ManifestTimes times;
};

/// A document and the version its canonical encoding has.
struct VersionedManifest {
  ManifestDocument document;
  Digest version;
};

/// Sets first_chunk and checks every rule above and of limits.h. Fails: invalid, listing the offenders (the first 20).
Result<void> validate(Manifest& manifest);

/// The canonical encoding (docs/protocol.md). The manifest must be valid.
std::vector<std::uint8_t> encode(const Manifest& manifest);
Digest version_of(std::span<const std::uint8_t> canonical);

/// What travels: the canonical encoding with the times behind it.
std::vector<std::uint8_t> encode(const ManifestDocument& document);
/// Validates too, and checks that the version is `expected`. Fails: invalid.
Result<ManifestDocument> decode(std::span<const std::uint8_t> bytes, const Digest& expected);
/// The same with whatever version the bytes have.
Result<VersionedManifest> decode_document(std::span<const std::uint8_t> bytes);
/// For people: GET .../manifest without a peer's Accept.
std::string to_json(const ManifestDocument& document, const Digest& version);

/// BLAKE3-256.
Digest hash(std::span<const std::uint8_t> bytes);

}  // namespace peer::protocol
