#include "libpeer/base/nearest.h"

#include <array>
#include <catch2/catch_test_macros.hpp>

using namespace peer;

namespace {
constexpr std::array<std::string_view, 4> kNames{"PeerConnected", "PeerGoodbye", "PeerLost", "library.roots"};

std::optional<std::string> guess(std::string_view word) { return nearest(word, kNames); }
}  // namespace

TEST_CASE("nearest finds the word that a typing error explains") {
  CHECK(guess("PeerConected") == "PeerConnected");
  CHECK(guess("peerconnected") == "PeerConnected");
  CHECK(guess("PeerConnectde") == "PeerConnected");
  CHECK(guess("PeerGodbye") == "PeerGoodbye");
  CHECK(guess("PeerLost") == "PeerLost");
  CHECK(guess("roots") == "library.roots");
  CHECK(guess("network.roots") == "library.roots");
}

TEST_CASE("nearest makes no guess if no candidate is near, even for a long word") {
  CHECK_FALSE(guess("NoSuchEvent"));
  CHECK_FALSE(guess(""));
  CHECK_FALSE(guess(std::string(60'000, 'P')));
  CHECK_FALSE(nearest("PeerLost", {}));
}
