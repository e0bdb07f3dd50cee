// A progress log that is cut and changed as the input says: no chunk counts that was not logged. Input of 0xff first is
// itself the log.
#include <algorithm>

#include "libpeer/base/check.h"
#include "libpeer/staging/progress_log.h"
#include "support/store/memory_disk.h"

namespace {

using namespace peer;
constexpr std::uint64_t kChunks = 64;

std::vector<std::uint8_t> whole_log() {
  test::MemoryDisk disk;
  disk.make_directories("/stage");
  auto directory = disk.open("/stage", false, false);
  PEER_CHECK(directory.has_value());
  std::vector<bool> have(kChunks);
  have[3] = true;
  auto log = staging::ProgressLog::begin(**directory, "log", Digest{}, have);
  PEER_CHECK(log.has_value());
  PEER_CHECK((*log)->append({{8, 4}, {20, 1}}, false).has_value());
  PEER_CHECK((*log)->append({{30, 30}}, true).has_value());
  const std::string text = disk.read("/stage/log");
  return {text.begin(), text.end()};
}

bool is_logged(std::uint64_t chunk) {
  return chunk == 3 || (chunk >= 8 && chunk < 12) || chunk == 20 || (chunk >= 30 && chunk < 60);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<std::uint8_t> whole = whole_log();
  std::vector<std::uint8_t> bytes = whole;
  if (size > 0 && data[0] == 0xff) {
    bytes.assign(data + 1, data + size);
  } else {
    for (std::size_t i = 0; i + 2 < size; i += 3) {
      const std::size_t at = (data[i] * std::size_t{256} + data[i + 1]) % bytes.size();
      if (data[i + 2] == 0) {
        bytes.resize(std::max<std::size_t>(at, 1));
      } else {
        bytes[at] ^= data[i + 2];
      }
    }
  }
  const auto content = staging::parse_log(bytes, Digest{}, kChunks);
  PEER_CHECK(content.have.size() == kChunks);
  for (std::uint64_t i = 0; i < kChunks; ++i) PEER_CHECK(!content.have[i] || is_logged(i));
  if (bytes == whole) PEER_CHECK(content.clean && content.have[59]);
  return 0;
}
