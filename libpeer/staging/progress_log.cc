#include "libpeer/staging/progress_log.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "libpeer/base/check.h"
#include "libpeer/protocol/manifest.h"

namespace peer::staging {

namespace {

constexpr std::array<std::uint8_t, 8> kMagic = {'p', 'e', 'e', 'r', 'd', 'l', 'g', '1'};
constexpr std::uint64_t kHave = 1;
constexpr std::uint64_t kClean = 2;
constexpr std::size_t kChecksumSize = 8;

void put(std::vector<std::uint8_t>& out, std::uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
}

std::uint64_t get(std::span<const std::uint8_t> in) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value |= static_cast<std::uint64_t>(in[i]) << (8 * i);
  return value;
}

std::array<std::uint8_t, kChecksumSize> checksum(const Digest& version, std::uint64_t position,
                                                 std::span<const std::uint8_t> content) {
  std::vector<std::uint8_t> input(version.bytes.begin(), version.bytes.end());
  put(input, position);
  input.insert(input.end(), content.begin(), content.end());
  const Digest digest = protocol::hash(input);
  std::array<std::uint8_t, kChecksumSize> out;
  std::copy_n(digest.bytes.begin(), out.size(), out.begin());
  return out;
}

/// Appends the checksum of the bytes of `out` from `begin` on. `position`: their position in the log.
void seal(std::vector<std::uint8_t>& out, std::size_t begin, const Digest& version, std::uint64_t position) {
  const auto sum = checksum(version, position, std::span(out).subspan(begin));
  out.insert(out.end(), sum.begin(), sum.end());
}

bool sealed(std::span<const std::uint8_t> part, const Digest& version, std::uint64_t position) {
  const auto content = part.first(part.size() - kChecksumSize);
  const auto sum = checksum(version, position, content);
  return std::equal(sum.begin(), sum.end(), part.last(kChecksumSize).begin());
}

/// `position`: the position of the first record in the log.
std::vector<std::uint8_t> encode_records(const std::vector<ChunkRun>& have, bool clean, const Digest& version,
                                         std::uint64_t position) {
  std::vector<std::uint8_t> out;
  out.reserve((have.size() + 1) * ProgressLog::kRecordSize);
  const auto record = [&](std::uint64_t kind, const ChunkRun& run) {
    const std::size_t begin = out.size();
    put(out, kind);
    put(out, run.first);
    put(out, run.count);
    seal(out, begin, version, position + begin);
  };
  for (const ChunkRun& run : have) record(kHave, run);
  if (clean) record(kClean, {});
  return out;
}

}  // namespace

std::vector<ChunkRun> runs_of(const std::vector<bool>& flags) {
  std::vector<ChunkRun> runs;
  for (std::size_t i = 0; i < flags.size(); ++i) {
    if (!flags[i]) continue;
    if (!runs.empty() && runs.back().first + runs.back().count == i) {
      ++runs.back().count;
    } else {
      runs.push_back({i, 1});
    }
  }
  return runs;
}

LogContent parse_log(std::span<const std::uint8_t> bytes, const Digest& version, std::uint64_t chunks) {
  LogContent content;
  content.have.resize(static_cast<std::size_t>(chunks));
  if (bytes.size() < ProgressLog::kHeaderSize) return content;
  const auto header = bytes.first(ProgressLog::kHeaderSize);
  if (!std::equal(kMagic.begin(), kMagic.end(), header.begin()) ||
      !std::equal(version.bytes.begin(), version.bytes.end(), header.begin() + kMagic.size()) ||
      !sealed(header, version, 0)) {
    return content;
  }
  std::size_t position = ProgressLog::kHeaderSize;
  for (; bytes.size() - position >= ProgressLog::kRecordSize; position += ProgressLog::kRecordSize) {
    const auto record = bytes.subspan(position, ProgressLog::kRecordSize);
    if (!sealed(record, version, position)) break;
    const std::uint64_t kind = get(record);
    const std::uint64_t first = get(record.subspan(8));
    const std::uint64_t count = get(record.subspan(16));
    content.clean = kind == kClean;
    if (kind != kHave) continue;
    if (first > chunks || count > chunks - first) break;
    std::fill_n(content.have.begin() + static_cast<std::ptrdiff_t>(first), count, true);
  }
  content.clean = content.clean && position == bytes.size();
  return content;
}

Result<std::unique_ptr<ProgressLog>> ProgressLog::begin(store::Directory& directory, std::string_view name,
                                                        const Digest& version, const std::vector<bool>& have) {
  std::vector<std::uint8_t> content(kMagic.begin(), kMagic.end());
  content.insert(content.end(), version.bytes.begin(), version.bytes.end());
  seal(content, 0, version, 0);
  PEER_CHECK(content.size() == kHeaderSize);
  const auto records = encode_records(runs_of(have), false, version, kHeaderSize);
  content.insert(content.end(), records.begin(), records.end());
  if (Result<void> written = store::write_file_atomically(directory, name, content); !written) {
    return std::unexpected(written.error());
  }
  auto file = directory.open_file(name, store::OpenMode::write);
  if (!file) return std::unexpected(file.error());
  return std::unique_ptr<ProgressLog>(new ProgressLog(std::move(*file), version, content.size()));
}

Result<void> ProgressLog::append(const std::vector<ChunkRun>& have, bool clean) {
  const auto records = encode_records(have, clean, version_, end_);
  if (Result<void> written = file_->write_at(records, end_); !written) return written;
  if (Result<void> synced = file_->sync(); !synced) return synced;
  end_ += records.size();
  return {};
}

}  // namespace peer::staging
