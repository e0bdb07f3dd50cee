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

/// A log, and the chunks that it contains after each record.
struct Sample {
  std::vector<std::uint8_t> bytes;
  std::vector<std::vector<bool>> expected;
};

Sample make_sample(bool clean) {
  test::MemoryDisk disk;
  disk.make_directories("/d");
  const auto directory = disk.open("/d", false, false);
  REQUIRE(directory.has_value());
  std::vector<bool> have(kChunks);
  have[3] = have[4] = have[40] = true;
  const auto log = ProgressLog::begin(**directory, "log", version_with(1), have);
  REQUIRE(log.has_value());
  Sample sample;
  std::vector<bool> none(kChunks);
  sample.expected.push_back(none);
  none[3] = none[4] = true;
  sample.expected.push_back(none);
  sample.expected.push_back(have);
  for (const ChunkRun run : {ChunkRun{10, 5}, ChunkRun{49, 1}, ChunkRun{0, 3}}) {
    REQUIRE((*log)->append({run}, false).has_value());
    std::fill_n(have.begin() + static_cast<std::ptrdiff_t>(run.first), run.count, true);
    sample.expected.push_back(have);
  }
  if (clean) {
    REQUIRE((*log)->append({}, true).has_value());
    sample.expected.push_back(have);
  }
  const std::string text = disk.read("/d/log");
  sample.bytes.assign(text.begin(), text.end());
  return sample;
}

}  // namespace

TEST_CASE("progress log: it contains what was appended", "[log]") {
  const Sample dirty = make_sample(false);
  const LogContent content = parse_log(dirty.bytes, version_with(1), kChunks);
  CHECK(content.have == dirty.expected.back());
  CHECK_FALSE(content.clean);
  const Sample clean = make_sample(true);
  CHECK(parse_log(clean.bytes, version_with(1), kChunks).clean);
  CHECK(parse_log(clean.bytes, version_with(1), kChunks).have == dirty.expected.back());
}

TEST_CASE("progress log: a log of another version counts as empty", "[log]") {
  const Sample sample = make_sample(true);
  const LogContent content = parse_log(sample.bytes, version_with(2), kChunks);
  CHECK(content.have == std::vector<bool>(kChunks));
  CHECK_FALSE(content.clean);
}

TEST_CASE("progress log: a truncated log counts up to its last complete record", "[log]") {
  const Sample sample = make_sample(true);
  for (std::size_t size = 0; size < sample.bytes.size(); ++size) {
    INFO("size " << size);
    const LogContent content = parse_log(std::span(sample.bytes).first(size), version_with(1), kChunks);
    const std::size_t records =
        size < ProgressLog::kHeaderSize ? 0 : (size - ProgressLog::kHeaderSize) / ProgressLog::kRecordSize;
    CHECK(content.have == sample.expected[records]);
    CHECK_FALSE(content.clean);
  }
}

TEST_CASE("progress log: records after a flipped bit are ignored", "[log]") {
  const Sample sample = make_sample(true);
  for (std::size_t bit = 0; bit < sample.bytes.size() * 8; ++bit) {
    INFO("bit " << bit);
    std::vector<std::uint8_t> bytes = sample.bytes;
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    const LogContent content = parse_log(bytes, version_with(1), kChunks);
    const std::size_t at = bit / 8;
    const std::size_t records =
        at < ProgressLog::kHeaderSize ? 0 : (at - ProgressLog::kHeaderSize) / ProgressLog::kRecordSize;
    CHECK(content.have == sample.expected[records]);
    CHECK_FALSE(content.clean);
  }
}

TEST_CASE("progress log: a record is valid only at its own position; garbage at the end only removes the clean mark",
          "[log]") {
  const Sample sample = make_sample(true);
  std::vector<std::uint8_t> bytes = sample.bytes;
  const auto first = bytes.begin() + ProgressLog::kHeaderSize;
  std::swap_ranges(first, first + ProgressLog::kRecordSize, first + ProgressLog::kRecordSize);
  CHECK(parse_log(bytes, version_with(1), kChunks).have == sample.expected[0]);
  bytes = sample.bytes;
  bytes.resize(bytes.size() + 7);
  const LogContent content = parse_log(bytes, version_with(1), kChunks);
  CHECK(content.have == sample.expected.back());
  CHECK_FALSE(content.clean);
}

TEST_CASE("progress log: random bytes count as empty", "[log]") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto random = seeded_random(seed);
    std::vector<std::uint8_t> bytes(random->below(400));
    random->fill(bytes);
    CHECK(parse_log(bytes, version_with(1), kChunks).have == std::vector<bool>(kChunks));
  }
}

TEST_CASE("progress log: a record beyond the last chunk ends the log", "[log]") {
  const Sample sample = make_sample(true);
  const LogContent content = parse_log(sample.bytes, version_with(1), 20);
  CHECK_FALSE(content.clean);
  CHECK(content.have.size() == 20);
}
