#include "libpeer/node/speed_probe.h"

#include <cerrno>
#include <map>

#include "libpeer/library/installed.h"
#include "libpeer/protocol/manifest.h"

namespace peer::node {

namespace {

constexpr std::size_t kPieceBytes = 1 << 20;
constexpr const char* kProbeName = "doctor";
/// Used in the root itself if it has no .peerd directory. No game id begins with a dot.
constexpr const char* kHiddenProbeName = ".peerd-doctor";

std::vector<std::uint8_t> probe_content() {
  std::vector<std::uint8_t> piece(kPieceBytes);
  std::uint32_t state = 1;
  for (std::uint8_t& byte : piece) byte = static_cast<std::uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  return piece;
}

/// Returns the number of bytes that were written, synced and read back unchanged.
Result<std::uint64_t> write_probe(store::Directory& directory, const std::string& name, const runtime::StopFlag& stop) {
  const auto file = directory.open_file(name, store::OpenMode::create);
  if (!file) return std::unexpected(file.error());
  const std::vector<std::uint8_t> piece = probe_content();
  std::uint64_t written = 0;
  for (; written < kProbeBytes && !stop.requested(); written += piece.size()) {
    if (Result<void> done = (*file)->write_at(piece, written); !done) return std::unexpected(done.error());
  }
  if (Result<void> synced = (*file)->sync(); !synced) return std::unexpected(synced.error());
  std::vector<std::uint8_t> back(kPieceBytes);
  for (std::uint64_t offset = 0; offset < written && !stop.requested(); offset += back.size()) {
    const auto count = (*file)->read_at(back, offset);
    if (!count) return std::unexpected(count.error());
    if (*count != back.size() || back != piece) {
      return fail(ErrorCode::disk_error, directory.path() + " returned different bytes than were written to it");
    }
  }
  return written;
}

}  // namespace

Result<DiskProbe> probe_disk(store::Disk& disk, const std::string& root, std::uint64_t reserve,
                             const runtime::StopFlag& stop) {
  const auto top = disk.open(root, false, false);
  if (!top) return std::unexpected(top.error());
  auto below = (*top)->open_directory(library::kPeerdName, false);
  if (!below && below.error().system != ENOENT) return std::unexpected(below.error());
  const bool in_top = !below;
  const auto& directory = in_top ? top : below;
  const std::string name = in_top ? kHiddenProbeName : kProbeName;
  const auto space = (*directory)->space();
  if (!space) return std::unexpected(space.error());
  DiskProbe probe{*space, 0};
  if (space->available < reserve + kProbeBytes) return probe;
  const auto written = write_probe(**directory, name, stop);
  if (Result<void> removed = (*directory)->remove_file(name); !removed) return std::unexpected(removed.error());
  if (!written) return std::unexpected(written.error());
  probe.written = *written;
  return probe;
}

std::uint64_t probe_hash(const runtime::StopFlag& stop) {
  const std::vector<std::uint8_t> piece = probe_content();
  std::uint64_t hashed = 0;
  for (; hashed < kProbeBytes && !stop.requested(); hashed += piece.size()) static_cast<void>(protocol::hash(piece));
  return hashed;
}

std::vector<api::Finding> find_duplicate_games(store::Disk& disk, const std::vector<std::string>& roots) {
  using Verdict = api::FindingVerdict;
  std::vector<api::Finding> findings;
  std::map<std::string, std::string> seen;
  for (const std::string& root : roots) {
    const auto directory = disk.open(root, false, false);
    const auto entries = directory ? (*directory)->list() : std::unexpected(directory.error());
    if (!entries) {
      findings.push_back({Verdict::bad, "library", root + " cannot be read: " + entries.error().message,
                          "mount it, or give the daemon's user read access"});
      continue;
    }
    for (const store::DirectoryEntry& entry : *entries) {
      if (entry.name.starts_with(".")) continue;
      const auto [other, is_new] = seen.emplace(entry.name, root);
      if (is_new) continue;
      findings.push_back({Verdict::warning, "library",
                          entry.name + " is in " + other->second + " and in " + root + ": only the first is offered",
                          "remove or rename one of them"});
    }
  }
  return findings;
}

}  // namespace peer::node
