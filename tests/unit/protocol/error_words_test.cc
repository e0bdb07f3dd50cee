#include "libpeer/protocol/error_words.h"

#include <catch2/catch_test_macros.hpp>
#include <utility>

using namespace peer;

TEST_CASE("Every error code has the word that peers and scripts expect") {
  const std::pair<ErrorCode, std::string_view> words[] = {
      {ErrorCode::not_found, "no_such_game"},
      {ErrorCode::unavailable, "no_peer_has_it"},
      {ErrorCode::source_lost, "peers_gone"},
      {ErrorCode::cancelled, "cancelled"},
      {ErrorCode::refused, "refused"},
      {ErrorCode::no_space, "no_space"},
      {ErrorCode::disk_error, "disk_error"},
      {ErrorCode::unreachable, "unreachable"},
      {ErrorCode::busy, "busy"},
      {ErrorCode::invalid, "invalid"},
      {ErrorCode::internal, "internal"},
  };
  for (const auto& [code, word] : words) CHECK(protocol::error_word(code) == word);
}
