#include "libpeer/library/assembly.h"

#include <algorithm>

#include "libpeer/library/directory_cursor.h"

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
      if (row->executable.value_or(file.executable) != file.executable) known.lost_executable_bits.push_back(i);
      known.chunks[i] = std::move(row->chunks);
      known.bytes += file.stamp.size;
    } else if (file.stamp.size > 0) {  // an empty file has no chunks
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
    result.intact =
        scanned != scan.files.end() && scanned->path == file.path && scanned->stamp == offered.stamps[i] &&
        (scanned->executable == file.executable || std::ranges::binary_search(offered.lost_executable_bits, i));
  }
  const auto equal = [](const auto& a, const auto& b) { return a.path == b.path && a.target == b.target; };
  result.same = result.same && result.intact && std::ranges::equal(scan.symlinks, manifest.symlinks, equal);
  return result;
}

InstalledMatch match_installed(const ScannedGame& scan, const KnownChunks& known, const InstalledRecord& record,
                               std::shared_ptr<const OfferedGame> shown) {
  const protocol::Manifest& manifest = record.document->manifest;
  const auto equal = [](const auto& a, const auto& b) { return a.path == b.path && a.target == b.target; };
  InstalledMatch result;
  result.same = scan.files.size() == manifest.files.size() && scan.directories == manifest.directories &&
                std::ranges::equal(scan.symlinks, manifest.symlinks, equal);
  OfferedGame offered{record.version, record.document, {}, std::vector<bool>(manifest.chunks.size()), {}};
  offered.stamps.resize(manifest.files.size());
  auto scanned = scan.files.begin();
  for (std::size_t i = 0; i < manifest.files.size(); ++i) {
    const protocol::ManifestFile& file = manifest.files[i];
    while (scanned != scan.files.end() && scanned->path < file.path) ++scanned;
    if (scanned == scan.files.end() || scanned->path != file.path) {
      result.same = false;
      continue;
    }
    const auto index = static_cast<std::size_t>(scanned - scan.files.begin());
    if (std::ranges::binary_search(known.missing, index)) {
      result.unhashed.push_back(index);  // it gets no stamp, so that the next scan treats it as changed
      result.same = false;
      continue;
    }
    offered.stamps[i] = scanned->stamp;
    const bool lost_bit = std::ranges::binary_search(known.lost_executable_bits, index);
    if (lost_bit) offered.lost_executable_bits.push_back(i);
    const std::vector<Digest>& chunks = known.chunks[index];
    for (std::size_t chunk = 0; chunk < std::min(chunks.size(), file.chunk_count()); ++chunk) {
      // A chunk's length follows from its file's size, so an equal hash implies an equal length.
      offered.intact[file.first_chunk + chunk] = chunks[chunk] == manifest.chunks[file.first_chunk + chunk];
    }
    result.same =
        result.same && scanned->stamp.size == file.size && (scanned->executable != lost_bit) == file.executable;
  }
  const auto intact = std::ranges::count(offered.intact, true);
  result.none_intact = intact == 0 && !offered.intact.empty();
  if (static_cast<std::size_t>(intact) == offered.intact.size()) {
    offered.intact.clear();
  } else {
    result.same = false;
  }
  const bool unchanged = shown && shown->document == offered.document && shown->stamps == offered.stamps &&
                         shown->intact == offered.intact && shown->lost_executable_bits == offered.lost_executable_bits;
  result.offered = unchanged ? std::move(shown) : std::make_shared<const OfferedGame>(std::move(offered));
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
  for (const std::size_t i : known.lost_executable_bits) {
    protocol::ManifestFile& file = document.manifest.files[i];
    file.executable = !file.executable;
  }
  offered->lost_executable_bits = std::move(known.lost_executable_bits);
  document.manifest.directories = scan.directories;
  document.manifest.symlinks = scan.symlinks;
  if (Result<void> valid = protocol::validate(document.manifest); !valid) return std::unexpected(valid.error());
  offered->version = protocol::version_of(protocol::encode(document.manifest));
  offered->document = std::make_shared<const protocol::ManifestDocument>(std::move(document));
  return offered;
}

Result<std::shared_ptr<const OfferedGame>> adopt_installed(store::Disk& disk, const std::string& root,
                                                           const std::string& game, protocol::ManifestDocument document,
                                                           const LinkPolicy* bounds) {
  auto top = open_game(disk, root, game, bounds);
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
                      " is not the file that was just installed: another program has changed it; stop that program, "
                      "then run 'peerctl rescan " +
                      game + "'");
    }
    offered->stamps.push_back(stamp_of(*info));
    if (info->executable != file.executable) offered->lost_executable_bits.push_back(i);
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
  for (const std::size_t i : offered.lost_executable_bits) rows[i].executable = manifest.files[i].executable;
  return rows;
}

}  // namespace peer::library
