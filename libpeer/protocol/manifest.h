// Manifest: the complete, ordered list of the files, empty directories and symlinks of a game. The BLAKE3-256 of its
// canonical encoding is the version.
//
// Source: docs/protocol.md, section 7.
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
  std::size_t first_chunk = 0;  ///< index into Manifest::chunks; validate() sets it
  std::size_t chunk_count() const noexcept { return static_cast<std::size_t>((size + kChunkSize - 1) / kChunkSize); }
};

struct ManifestSymlink {
  std::string path;
  std::string target;
};

/// Where a chunk is.
struct ChunkPlace {
  std::size_t file;      ///< index into Manifest::files
  std::uint64_t offset;  ///< within the file
  std::uint32_t size;
};

/// Files, directories and symlinks are sorted by path, bytewise. No path occurs twice, and none is below a file, a
/// symlink or a listed directory.
struct Manifest {
  std::vector<ManifestFile> files;
  std::vector<std::string> directories;  ///< only the empty ones
  std::vector<ManifestSymlink> symlinks;
  std::vector<Digest> chunks;  ///< of all files, in the order of `files`

  std::uint64_t total_size() const noexcept;
  ChunkPlace place(std::size_t chunk) const;  ///< chunk < chunks.size(); O(log files)
  /// The index of the file with this path, if it exists. O(log files)
  std::optional<std::size_t> file_at(std::string_view path) const;
  std::size_t memory() const noexcept;  ///< approximate size in bytes
};

/// File times. They are sent with the manifest but are not part of the hash. Units: nanoseconds since 1970.
struct ManifestTimes {
  std::int64_t modified = 0;             ///< the latest file time
  std::vector<std::int64_t> file_times;  ///< one for each file, or empty
};

struct ManifestDocument {
  Manifest manifest;
  ManifestTimes times;
};

/// A document and its version.
struct VersionedManifest {
  ManifestDocument document;
  Digest version;
};

/// Sets first_chunk, and checks the rules above and the limits. Fails: invalid; the message lists the first 20
/// problems.
Result<void> validate(Manifest& manifest);

/// The canonical encoding (docs/protocol.md). The manifest must be valid.
std::vector<std::uint8_t> encode(const Manifest& manifest);
Digest version_of(std::span<const std::uint8_t> canonical);

/// What peers send: the canonical encoding, followed by the times.
std::vector<std::uint8_t> encode(const ManifestDocument& document);
/// Decodes and validates a document, and checks that its version is `expected`. Fails: invalid.
Result<ManifestDocument> decode(std::span<const std::uint8_t> bytes, const Digest& expected);
/// Decodes and validates a document of any version. Fails: invalid.
Result<VersionedManifest> decode_document(std::span<const std::uint8_t> bytes);
/// The JSON for people, which GET .../manifest returns without `accept: kManifestMediaType`.
std::string to_json(const ManifestDocument& document, const Digest& version);

/// BLAKE3-256.
Digest hash(std::span<const std::uint8_t> bytes);

}  // namespace peer::protocol
