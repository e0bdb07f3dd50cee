// Any .peerdignore decides about any path. The first line of the input is the path, the rest are the rules.
#include <string_view>

#include "libpeer/base/check.h"
#include "libpeer/library/ignore.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view path = text.substr(0, end);
  const peer::library::IgnoreRules rules(text.substr(std::min(end + 1, text.size())));
  for (const bool directory : {false, true}) PEER_CHECK(!rules.ignored(path, directory) || !rules.empty());
  return 0;
}
