#include "libpeer/staging/unlogged_chunks.h"

#include <algorithm>
#include <set>
#include <span>

namespace peer::staging {

namespace {

constexpr std::size_t kProbeBytes = 4096;

/// Reads a chunk and compares its hash.
Result<bool> is_correct(store::File& file, std::uint64_t offset, std::span<std::uint8_t> buffer,
                        const Digest& expected) {
  const auto probe = buffer.first(std::min(buffer.size(), kProbeBytes));
  const auto rest = buffer.subspan(probe.size());
  const auto probed = file.read_at(probe, offset);
  if (!probed) return std::unexpected(probed.error());
  // A chunk that begins with zeros is most likely reserved space. If not, it is fetched again.
  if (std::ranges::all_of(probe, [](std::uint8_t byte) { return byte == 0; })) return false;
  const auto read = file.read_at(rest, offset + probe.size());
  if (!read) return std::unexpected(read.error());
  return *probed == probe.size() && *read == rest.size() && protocol::hash(buffer) == expected;
}

}  // namespace

Result<void> find_unlogged_chunks(TreeWriter& tree, const protocol::Manifest& manifest, const std::string& game,
                                  const std::vector<bool>& full_size, std::vector<bool>& have,
                                  const runtime::StopFlag& stop) {
  std::vector<std::uint8_t> buffer(protocol::kChunkSize);
  std::set<std::size_t> found;
  for (std::size_t i = 0; i < full_size.size(); ++i) {
    const protocol::ManifestFile& file = manifest.files[i];
    const auto chunks = have.begin() + static_cast<std::ptrdiff_t>(file.first_chunk);
    const auto last = chunks + static_cast<std::ptrdiff_t>(file.chunk_count());
    if (!full_size[i] || std::find(chunks, last, false) == last) continue;
    const auto handle = tree.file_for_read(i);
    if (!handle) return std::unexpected(handle.error());
    for (std::size_t chunk = 0; chunk < file.chunk_count(); ++chunk) {
      if (stop.requested())
        return fail(ErrorCode::cancelled, "stopped while the received data of " + game + " was checked");
      if (have[file.first_chunk + chunk]) continue;
      const std::uint64_t offset = chunk * protocol::kChunkSize;
      const auto size = static_cast<std::size_t>(std::min(file.size - offset, protocol::kChunkSize));
      const auto correct =
          is_correct(**handle, offset, std::span(buffer).first(size), manifest.chunks[file.first_chunk + chunk]);
      if (!correct) return std::unexpected(correct.error());
      if (!*correct) continue;
      have[file.first_chunk + chunk] = true;
      found.insert(i);
    }
  }
  if (found.empty()) return {};
  // The process may have been killed before the files' directory entries were durable.
  UnsyncedPaths unsynced{found, {""}};
  for (const std::size_t file : found) {
    const std::string& path = manifest.files[file].path;
    for (std::size_t at = path.find('/'); at != path.npos; at = path.find('/', at + 1)) {
      unsynced.directories.insert(path.substr(0, at));
    }
  }
  Result<void> synced = tree.sync(unsynced);
  if (!synced) tree.discard(found);
  return synced;
}

}  // namespace peer::staging
