#include "library/assembly.h"

#include <algorithm>

#include "library/directory_cursor.h"

namespace peer::library {

KnownChunks match_cache(const ScannedGame& scan, std::vector<store::CachedFile> cached) {
  KnownChunks known;
  known.chunks.resize(scan.files.size());
  std::ranges::sort(cached, {}, &store::CachedFile::path);
  auto row = cached.begin();
  for (std::size_t i = 0; i < scan.files.size(); ++i) {
    const ScannedFile& file = scan.files[i];
    while (row != cached.end() && row->path < file.path) {
      known.stale_rows = true;
      ++row;
    }
    const std::uint64_t chunks = (file.stamp.size + protocol::kChunkSize - 1) / protocol::kChunkSize;
    const bool has_row = row != cached.end() && row->path == file.path;
    if (has_row && row->stamp == file.stamp && row->chunks.size() == chunks) {
      if (row->executable.value_or(file.executable) != file.executable) known.other_bits.push_back(i);
      known.chunks[i] = std::move(row->chunks);
      known.bytes += file.stamp.size;
    } else if (file.stamp.size > 0) {  // of an empty one there is nothing to know
      known.missing.push_back(i);
    }
    if (has_row) ++row;
  }
  known.stale_rows = known.stale_rows || row != cached.end();
  return known;
}

Comparison compare(const ScannedGame& scan, const OfferedGame& offered) {
  const protocol::Manifest& manifest = offered.document->manifest;
  Comparison result{.same = scan.files.size() == manifest.files.size() && scan.directories == manifest.directories,
                    .intact = true};
  auto scanned = scan.files.begin();
  for (std::size_t i = 0; i < manifest.files.size() && result.intact; ++i) {
    const protocol::ManifestFile& file = manifest.files[i];
    while (scanned != scan.files.end() && scanned->path < file.path) ++scanned;
    result.intact = scanned != scan.files.end() && scanned->path == file.path && scanned->stamp == offered.stamps[i] &&
                    (scanned->executable == file.executable || std::ranges::binary_search(offered.other_bits, i));
  }
  const auto equal = [](const auto& a, const auto& b) { return a.path == b.path && a.target == b.target; };
  result.same = result.same && result.intact && std::ranges::equal(scan.symlinks, manifest.symlinks, equal);
  return result;
}

Result<std::shared_ptr<const OfferedGame>> assemble(const ScannedGame& scan, KnownChunks known) {
  protocol::ManifestDocument document;
  auto offered = std::make_shared<OfferedGame>();
  std::size_t count = 0;
  for (const auto& of_file : known.chunks) count += of_file.size();
  document.manifest.files.reserve(scan.files.size());
  document.manifest.chunks.reserve(count);
  document.times.file_times.reserve(scan.files.size());
  offered->stamps.reserve(scan.files.size());
  for (std::size_t i = 0; i < scan.files.size(); ++i) {
    const ScannedFile& file = scan.files[i];
    document.manifest.files.push_back({.path = file.path, .size = file.stamp.size, .executable = file.executable});
    document.manifest.chunks.insert(document.manifest.chunks.end(), known.chunks[i].begin(), known.chunks[i].end());
    document.times.file_times.push_back(file.stamp.mtime);
    document.times.modified = std::max(document.times.modified, file.stamp.mtime);
    offered->stamps.push_back(file.stamp);
  }
  for (const std::size_t i : known.other_bits) {
    protocol::ManifestFile& file = document.manifest.files[i];
    file.executable = !file.executable;
  }
  offered->other_bits = std::move(known.other_bits);
  document.manifest.directories = scan.directories;
  document.manifest.symlinks = scan.symlinks;
  if (Result<void> valid = protocol::validate(document.manifest); !valid) return std::unexpected(valid.error());
  offered->version = protocol::version_of(protocol::encode(document.manifest));
  offered->document = std::make_shared<const protocol::ManifestDocument>(std::move(document));
  return offered;
}

Result<std::shared_ptr<const OfferedGame>> adopt_installed(store::Disk& disk, const std::string& root,
                                                           const std::string& game,
                                                           protocol::ManifestDocument document) {
  auto top = open_game(disk, root, game);
  if (!top) return std::unexpected(top.error());
  DirectoryCursor cursor(std::move(*top));
  auto offered = std::make_shared<OfferedGame>();
  offered->stamps.reserve(document.manifest.files.size());
  for (std::size_t i = 0; i < document.manifest.files.size(); ++i) {
    const protocol::ManifestFile& file = document.manifest.files[i];
    const auto directory = cursor.parent_of(file.path);
    if (!directory) return std::unexpected(directory.error());
    const auto info = (*directory)->info(name_of(file.path));
    if (!info) return std::unexpected(info.error());
    if (info->type != store::FileType::regular || info->size != file.size) {
      return fail(ErrorCode::disk_error,
                  (*directory)->path() + "/" + std::string(name_of(file.path)) +
                      " is not the file that was installed just now: something else writes there");
    }
    offered->stamps.push_back(stamp_of(*info));
    if (info->executable != file.executable) offered->other_bits.push_back(i);
  }
  offered->version = protocol::version_of(protocol::encode(document.manifest));
  offered->document = std::make_shared<const protocol::ManifestDocument>(std::move(document));
  return offered;
}

std::vector<store::CachedFile> rows_of(const OfferedGame& offered) {
  const protocol::Manifest& manifest = offered.document->manifest;
  std::vector<store::CachedFile> rows;
  rows.reserve(manifest.files.size());
  for (std::size_t i = 0; i < manifest.files.size(); ++i) {
    const protocol::ManifestFile& file = manifest.files[i];
    const auto first = manifest.chunks.begin() + static_cast<std::ptrdiff_t>(file.first_chunk);
    rows.push_back(
        {file.path, offered.stamps[i], {first, first + static_cast<std::ptrdiff_t>(file.chunk_count())}, {}});
  }
  for (const std::size_t i : offered.other_bits) rows[i].executable = manifest.files[i].executable;
  return rows;
}

}  // namespace peer::library
