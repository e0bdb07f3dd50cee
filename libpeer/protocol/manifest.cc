#include "libpeer/protocol/manifest.h"

#include <algorithm>

#include "libpeer/base/check.h"
#include "libpeer/protocol/manifest_entries.h"

namespace peer::protocol {

std::uint64_t Manifest::total_size() const noexcept {
  std::uint64_t total = 0;
  for (const ManifestFile& file : files) total += file.size;
  return total;
}

ChunkPlace Manifest::place(std::size_t chunk) const {
  PEER_CHECK(chunk < chunks.size());
  // Empty files have the same first_chunk as the next file, so the last file that begins at or before the chunk has it.
  const auto after = std::upper_bound(files.begin(), files.end(), chunk,
                                      [](std::size_t c, const ManifestFile& file) { return c < file.first_chunk; });
  PEER_CHECK(after != files.begin());
  const auto file = std::prev(after);
  const std::uint64_t offset = (chunk - file->first_chunk) * kChunkSize;
  PEER_CHECK(offset < file->size);
  return {static_cast<std::size_t>(file - files.begin()), offset,
          static_cast<std::uint32_t>(std::min(kChunkSize, file->size - offset))};
}

std::optional<std::size_t> Manifest::file_at(std::string_view path) const {
  const auto at = std::ranges::lower_bound(files, path, std::less<std::string_view>(), &ManifestFile::path);
  if (at == files.end() || at->path != path) return std::nullopt;
  return static_cast<std::size_t>(at - files.begin());
}

std::size_t Manifest::memory() const noexcept {
  std::size_t bytes = sizeof(Manifest) + files.capacity() * sizeof(ManifestFile) +
                      directories.capacity() * sizeof(std::string) + symlinks.capacity() * sizeof(ManifestSymlink) +
                      chunks.capacity() * sizeof(Digest);
  for (const ManifestFile& file : files) bytes += file.path.capacity();
  for (const std::string& directory : directories) bytes += directory.capacity();
  for (const ManifestSymlink& symlink : symlinks) bytes += symlink.path.capacity() + symlink.target.capacity();
  return bytes;
}

Result<void> validate(Manifest& manifest) {
  ManifestChecker checker;
  for_each_entry(manifest, [&](const ManifestEntry& entry) { checker.add(entry); });
  if (auto checked = checker.finish(); !checked) return checked;
  if (checker.chunks() != manifest.chunks.size()) {
    return fail(ErrorCode::invalid, "the manifest has " + std::to_string(manifest.chunks.size()) +
                                        " chunk hashes, its files have " + std::to_string(checker.chunks()) +
                                        " chunks");
  }
  std::size_t next = 0;
  for (ManifestFile& file : manifest.files) {
    file.first_chunk = next;
    next += file.chunk_count();
  }
  return {};
}

}  // namespace peer::protocol
