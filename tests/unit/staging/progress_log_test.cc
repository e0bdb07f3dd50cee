#include "libpeer/staging/progress_log.h"

#include <catch2/catch_test_macros.hpp>

#include "libpeer/base/random.h"
#include "support/store/memory_disk.h"

using namespace peer;
using staging::ChunkRun;
using staging::LogContent;
using staging::parse_log;
using staging::ProgressLog;

namespace {

constexpr std::size_t kChunks = 50;

Digest version_with(std::uint8_t first) {
  Digest version;
  version.bytes[0] = first;
  return version;
}

/// The log and, after each of its records, what it tells.
struct Sample {
  std::vector<std::uint8_t> bytes;
  std::vector<std::vector<bool>> told;
};

Sample make_sample(bool clean) {
  test::MemoryDisk disk;
  disk.make_directories("/d");
  const auto directory = disk.open("/d", false, false);
  REQUIRE(directory.has_value());
  std::vector<bool> had(kChunks);
  had[3] = had[4] = had[40] = true;
  const auto log = ProgressLog::begin(**directory, "log", version_with(1), had);
  REQUIRE(log.has_value());
  Sample sample;
  std::vector<bool> none(kChunks);
  sample.told.push_back(none);
  none[3] = none[4] = true;
  sample.told.push_back(none);
  sample.told.push_back(had);
  for (const ChunkRun run : {ChunkRun{10, 5}, ChunkRun{49, 1}, ChunkRun{0, 3}}) {
    REQUIRE((*log)->append({run}, false).has_value());
    std::fill_n(had.begin() + static_cast<std::ptrdiff_t>(run.first), run.count, true);
    sample.told.push_back(had);
  }
  if (clean) {
    REQUIRE((*log)->append({}, true).has_value());
    sample.told.push_back(had);
  }
  const std::string text = disk.read("/d/log");
  sample.bytes.assign(text.begin(), text.end());
  return sample;
}

}  // namespace

TEST_CASE("A log tells what was appended", "[log]") {
  const Sample dirty = make_sample(false);
  const LogContent content = parse_log(dirty.bytes, version_with(1), kChunks);
  CHECK(content.had == dirty.told.back());
  CHECK_FALSE(content.clean);
  const Sample clean = make_sample(true);
  CHECK(parse_log(clean.bytes, version_with(1), kChunks).clean);
  CHECK(parse_log(clean.bytes, version_with(1), kChunks).had == dirty.told.back());
}

TEST_CASE("A log of another version tells nothing", "[log]") {
  const Sample sample = make_sample(true);
  const LogContent content = parse_log(sample.bytes, version_with(2), kChunks);
  CHECK(content.had == std::vector<bool>(kChunks));
  CHECK_FALSE(content.clean);
}

TEST_CASE("A torn log tells what stands before the tear, wherever it is", "[log]") {
  const Sample sample = make_sample(true);
  for (std::size_t size = 0; size < sample.bytes.size(); ++size) {
    INFO("size " << size);
    const LogContent content = parse_log(std::span(sample.bytes).first(size), version_with(1), kChunks);
    const std::size_t records =
        size < ProgressLog::kHeaderSize ? 0 : (size - ProgressLog::kHeaderSize) / ProgressLog::kRecordSize;
    CHECK(content.had == sample.told[records]);
    CHECK_FALSE(content.clean);
  }
}

TEST_CASE("Behind a flipped bit nothing counts", "[log]") {
  const Sample sample = make_sample(true);
  for (std::size_t bit = 0; bit < sample.bytes.size() * 8; ++bit) {
    INFO("bit " << bit);
    std::vector<std::uint8_t> bytes = sample.bytes;
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    const LogContent content = parse_log(bytes, version_with(1), kChunks);
    const std::size_t at = bit / 8;
    const std::size_t records =
        at < ProgressLog::kHeaderSize ? 0 : (at - ProgressLog::kHeaderSize) / ProgressLog::kRecordSize;
    CHECK(content.had == sample.told[records]);
    CHECK_FALSE(content.clean);
  }
}

TEST_CASE("A record counts only in its own place, and garbage behind the end only costs the clean mark", "[log]") {
  const Sample sample = make_sample(true);
  std::vector<std::uint8_t> bytes = sample.bytes;
  const auto first = bytes.begin() + ProgressLog::kHeaderSize;
  std::swap_ranges(first, first + ProgressLog::kRecordSize, first + ProgressLog::kRecordSize);
  CHECK(parse_log(bytes, version_with(1), kChunks).had == sample.told[0]);
  bytes = sample.bytes;
  bytes.resize(bytes.size() + 7);
  const LogContent content = parse_log(bytes, version_with(1), kChunks);
  CHECK(content.had == sample.told.back());
  CHECK_FALSE(content.clean);
}

TEST_CASE("Any bytes are survived", "[log]") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto random = seeded_random(seed);
    std::vector<std::uint8_t> bytes(random->below(400));
    random->fill(bytes);
    CHECK(parse_log(bytes, version_with(1), kChunks).had == std::vector<bool>(kChunks));
  }
}

TEST_CASE("A log for more chunks than there are ends where it leads out", "[log]") {
  const Sample sample = make_sample(true);
  const LogContent content = parse_log(sample.bytes, version_with(1), 20);
  CHECK_FALSE(content.clean);
  CHECK(content.had.size() == 20);
}
