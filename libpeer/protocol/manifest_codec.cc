#include <algorithm>
#include <string_view>

#include "libpeer/base/check.h"
#include "libpeer/protocol/manifest.h"
#include "libpeer/protocol/manifest_entries.h"
#include "libpeer/protocol/varint.h"

namespace peer::protocol {

namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint8_t kMagic[] = {'P', 'D', 'M', 'F', 1};

std::unexpected<Error> malformed(std::string_view what) {
  return fail(ErrorCode::invalid, "the manifest's encoding is invalid: " + std::string(what));
}

void put_text(std::vector<std::uint8_t>& out, std::string_view text) {
  put_varint(out, text.size());
  out.insert(out.end(), text.begin(), text.end());
}

std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

std::optional<std::string_view> read_string(ByteCursor& cursor) {
  const auto length = cursor.varint();
  if (!length || *length > kMaxPathBytes) return std::nullopt;
  const auto bytes = cursor.read(*length);
  if (!bytes) return std::nullopt;
  return as_text(*bytes);
}

// Reads the canonical encoding and calls visit(entry, chunk hashes) for each entry. Allocates nothing.
template <class Visit>
Result<void> read_entries(ByteCursor& cursor, Visit visit) {
  const auto magic = cursor.read(sizeof kMagic);
  if (!magic || !std::ranges::equal(*magic, kMagic)) return malformed("it does not begin with the header of version 1");
  const auto count = cursor.varint();
  if (!count) return malformed("the number of entries is missing");
  if (*count > kMaxManifestEntries) {
    return fail(ErrorCode::invalid, "the manifest claims " + std::to_string(*count) + " entries, more than " +
                                        std::to_string(kMaxManifestEntries));
  }
  for (std::uint64_t i = 0; i < *count; ++i) {
    const auto kind = cursor.read(1);
    if (!kind) return malformed("it ends before its last entry");
    if (kind->front() >= kEntryKinds) return malformed("an entry has an unknown kind");
    ManifestEntry entry{static_cast<EntryKind>(kind->front()), {}, 0, {}};
    const auto path = read_string(cursor);
    if (!path) return malformed("a path is truncated or too long");
    entry.path = *path;
    Bytes hashes;
    if (entry.is_file()) {
      const auto size = cursor.varint();
      if (!size) return malformed("the size of a file is missing or invalid");
      if (*size > kMaxFileSize) return malformed("a file is larger than " + std::to_string(kMaxFileSize) + " bytes");
      entry.size = *size;
      const auto taken = cursor.read((entry.size + kChunkSize - 1) / kChunkSize * sizeof(Digest::bytes));
      if (!taken) return malformed("a file has fewer chunk hashes than its size needs");
      hashes = *taken;
    } else if (entry.kind == EntryKind::symlink) {
      const auto target = read_string(cursor);
      if (!target) return malformed("the target of a symlink is truncated or too long");
      entry.target = *target;
    }
    visit(entry, hashes);
  }
  return {};
}

Result<ManifestTimes> read_times(ByteCursor& cursor, std::size_t files) {
  ManifestTimes times;
  const auto modified = cursor.int64();
  if (!modified) return malformed("its times are truncated");
  times.modified = *modified;
  const auto count = cursor.varint();
  if (!count || (*count != 0 && *count != files))
    return malformed("the number of its times differs from the number of its files");
  if (cursor.remaining() != *count * 8) return malformed("its times are truncated, or bytes follow them");
  times.file_times.reserve(static_cast<std::size_t>(*count));
  while (const auto time = cursor.int64()) times.file_times.push_back(*time);
  return times;
}

}  // namespace

std::vector<std::uint8_t> encode(const Manifest& manifest) {
  std::vector<std::uint8_t> out(std::begin(kMagic), std::end(kMagic));
  out.reserve(64 + manifest.chunks.size() * sizeof(Digest::bytes) +
              64 * (manifest.files.size() + manifest.directories.size() + manifest.symlinks.size()));
  put_varint(out, manifest.files.size() + manifest.directories.size() + manifest.symlinks.size());
  std::size_t next = 0;
  for_each_entry(manifest, [&](const ManifestEntry& entry) {
    out.push_back(static_cast<std::uint8_t>(entry.kind));
    put_text(out, entry.path);
    if (entry.is_file()) {
      put_varint(out, entry.size);
      const auto count = static_cast<std::size_t>((entry.size + kChunkSize - 1) / kChunkSize);
      PEER_CHECK(count <= manifest.chunks.size() - next);
      for (const std::size_t end = next + count; next < end; ++next) {
        out.insert(out.end(), manifest.chunks[next].bytes.begin(), manifest.chunks[next].bytes.end());
      }
    } else if (entry.kind == EntryKind::symlink) {
      put_text(out, entry.target);
    }
  });
  PEER_CHECK(next == manifest.chunks.size());
  return out;
}

Digest version_of(Bytes canonical) { return hash(canonical); }

std::vector<std::uint8_t> encode(const ManifestDocument& document) {
  const ManifestTimes& times = document.times;
  PEER_CHECK(times.file_times.empty() || times.file_times.size() == document.manifest.files.size());
  std::vector<std::uint8_t> out = encode(document.manifest);
  out.reserve(out.size() + 16 + 8 * times.file_times.size());
  put_int64(out, times.modified);
  put_varint(out, times.file_times.size());
  for (const std::int64_t time : times.file_times) put_int64(out, time);
  return out;
}

// Reads twice: the first pass checks everything and counts what the second pass must allocate.
Result<VersionedManifest> decode_document(Bytes bytes) {
  if (bytes.size() > kMaxManifestBytes) {
    return fail(ErrorCode::invalid, "the manifest has " + std::to_string(bytes.size()) + " bytes, more than " +
                                        std::to_string(kMaxManifestBytes));
  }
  ManifestChecker checker;
  ByteCursor cursor(bytes);
  const auto check = [&](const ManifestEntry& entry, Bytes) { checker.add(entry); };
  if (auto read = read_entries(cursor, check); !read) return std::unexpected(read.error());
  if (auto checked = checker.finish(); !checked) return std::unexpected(checked.error());
  auto times = read_times(cursor, checker.files());
  if (!times) return std::unexpected(times.error());

  VersionedManifest result;
  result.document.times = std::move(*times);
  Manifest& manifest = result.document.manifest;
  manifest.files.reserve(checker.files());
  manifest.directories.reserve(checker.directories());
  manifest.symlinks.reserve(checker.symlinks());
  manifest.chunks.reserve(static_cast<std::size_t>(checker.chunks()));
  ByteCursor again(bytes);
  const auto keep = [&](const ManifestEntry& entry, Bytes hashes) {
    if (entry.is_file()) {
      manifest.files.push_back(
          {std::string(entry.path), entry.size, entry.kind == EntryKind::executable, manifest.chunks.size()});
      for (; !hashes.empty(); hashes = hashes.subspan(sizeof(Digest::bytes))) {
        Digest& digest = manifest.chunks.emplace_back();
        std::ranges::copy(hashes.first(sizeof(Digest::bytes)), digest.bytes.begin());
      }
    } else if (entry.kind == EntryKind::directory) {
      manifest.directories.emplace_back(entry.path);
    } else {
      manifest.symlinks.push_back({std::string(entry.path), std::string(entry.target)});
    }
  };
  if (auto read = read_entries(again, keep); !read) return std::unexpected(read.error());
  result.version = version_of(bytes.first(bytes.size() - again.remaining()));
  return result;
}

Result<ManifestDocument> decode(Bytes bytes, const Digest& expected) {
  auto decoded = decode_document(bytes);
  if (!decoded) return std::unexpected(decoded.error());
  if (decoded->version != expected) {
    return fail(ErrorCode::invalid,
                "the manifest has version " + decoded->version.brief() + ", expected " + expected.brief());
  }
  return std::move(decoded->document);
}

}  // namespace peer::protocol
