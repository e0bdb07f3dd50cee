#include "libpeer/protocol/messages.h"

#include <catch2/catch_test_macros.hpp>

#include "generate.h"
#include "libpeer/protocol/path.h"
#include "libpeer/protocol/routes.h"

using namespace peer;
using namespace peer::protocol;
using peer::test::Generator;

namespace {

Result<std::optional<SessionMessage>> decode_text(std::string_view text) {
  return decode({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

// A message that is accepted must encode to text that decodes to the same message.
bool is_stable(std::string_view text) {
  const auto decoded = decode_text(text);
  if (!decoded) return decoded.error().code == ErrorCode::invalid;
  if (!*decoded) return true;
  const std::string again = encode(**decoded);
  const auto twice = decode_text(again);
  return twice && *twice && encode(**twice) == again;
}

}  // namespace

TEST_CASE("Messages: generated ones decode to what was encoded") {
  for (std::uint64_t seed = 0; seed < 5000; ++seed) {
    Generator generator(seed);
    const SessionMessage message = generator.message();
    const std::string text = encode(message);
    CAPTURE(seed, text);
    const auto decoded = decode_text(text);
    INFO((decoded ? "" : decoded.error().message));
    REQUIRE(decoded);
    REQUIRE(*decoded);
    REQUIRE((*decoded)->index() == message.index());
    REQUIRE(encode(**decoded) == text);
  }
}

TEST_CASE("Messages: every truncation and single-byte change is rejected or decodes to a stable message") {
  for (std::uint64_t seed = 0; seed < 14; ++seed) {
    Generator generator(100 + seed);
    const std::string text = encode(generator.message());
    CAPTURE(seed, text);
    for (std::size_t length = 0; length < text.size(); ++length) REQUIRE_FALSE(decode_text(text.substr(0, length)));
    for (std::size_t at = 0; at < std::min<std::size_t>(text.size(), 400); ++at) {
      std::string changed = text;
      for (int value = 0; value < 256; value += 1 + static_cast<int>(generator.below(4))) {
        changed[at] = static_cast<char>(value);
        REQUIRE(is_stable(changed));
      }
    }
  }
}

TEST_CASE("Routes: generated ones parse to what was formatted") {
  for (std::uint64_t seed = 0; seed < 5000; ++seed) {
    Generator generator(seed);
    const std::string game = "g" + generator.component();
    Route route;
    if (generator.one_in(3)) {
      route = ChunksRoute{game, generator.bytes32<Digest>(), generator.any64() / 2, 1 + generator.below(4096)};
    } else if (generator.one_in(2)) {
      route = ManifestRoute{game, generator.bytes32<Digest>()};
    } else {
      std::string path = generator.component();
      while (generator.one_in(2)) path += "/" + generator.component();
      route = FileRoute{game, path};
    }
    const std::string text = format_route(route);
    CAPTURE(seed, text);
    const auto parsed = parse_route("GET", text);
    REQUIRE(parsed);
    REQUIRE(parsed->index() == route.index());
    REQUIRE(format_route(*parsed) == text);
    if (const auto* file = std::get_if<FileRoute>(&*parsed)) REQUIRE(file->path == std::get<FileRoute>(route).path);
  }
}
