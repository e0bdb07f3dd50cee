// The input is a request's path, perhaps followed by a line feed and a Range header. An accepted path is legal, and its
// formatted route parses to the same route.
#include <string_view>

#include "libpeer/base/check.h"
#include "libpeer/protocol/limits.h"
#include "libpeer/protocol/path.h"
#include "libpeer/protocol/routes.h"

using namespace peer::protocol;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = text.find('\n');
  const std::string_view path = text.substr(0, line);
  for (const char* method : {"GET", "POST"}) {
    const auto route = parse_route(method, path);
    if (!route) continue;
    if (const auto* file = std::get_if<FileRoute>(&*route)) {
      PEER_CHECK(!path_problem(file->path) && !game_id_problem(file->game));
    }
    if (const auto* chunks = std::get_if<ChunksRoute>(&*route)) {
      PEER_CHECK(chunks->count > 0 && chunks->count <= kMaxSpanChunks && chunks->first + chunks->count > chunks->first);
    }
    const std::string formatted = format_route(*route);
    const auto again = parse_route(method, formatted);
    PEER_CHECK(again && again->index() == route->index() && format_route(*again) == formatted);
  }
  if (line == std::string_view::npos) return 0;
  for (const std::uint64_t length : {std::uint64_t{0}, std::uint64_t{1000}, UINT64_MAX}) {
    const auto range = parse_range(text.substr(line + 1), length);
    if (range && *range)
      PEER_CHECK((*range)->length > 0 && (*range)->first < length && (*range)->length <= length - (*range)->first);
  }
  return 0;
}
