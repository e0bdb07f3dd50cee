#include "libpeer/protocol/messages.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "libpeer/protocol/limits.h"

using namespace peer;
using namespace peer::protocol;
using Catch::Matchers::ContainsSubstring;

namespace {

Result<std::optional<SessionMessage>> decode_text(std::string_view text) {
  return decode({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

// Decodes text that must be a legal message of a known type.
SessionMessage read(std::string_view text) {
  auto decoded = decode_text(text);
  INFO(text << (decoded ? "" : decoded.error().message));
  REQUIRE(decoded);
  REQUIRE(decoded->has_value());
  return **decoded;
}

std::string refusal(std::string_view text) {
  const auto decoded = decode_text(text);
  return decoded ? "accepted" : decoded.error().message;
}

const std::string kHex(64, 'a');

GameSummary game(std::string id) {
  GameSummary summary{.id = std::move(id), .size = kMaxGameSize, .files = 12'528, .modified = -1};
  summary.version.bytes.fill(7);
  return summary;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("A hello decodes to what was encoded") {
  Hello hello;
  hello.id.bytes.fill(1);
  hello.name = "Büro \"PC\"";
  hello.instance = "6f1d";
  hello.addresses = {"192.168.1.4:24747", "[fe80::1%eth0]:24747"};
  hello.revision = UINT64_MAX;
  hello.digest.bytes.fill(2);
  const auto back = std::get<Hello>(read(encode(SessionMessage(hello))));
  CHECK(back.id == hello.id);
  CHECK(back.name == hello.name);
  CHECK(back.protocol == kProtocolVersion);
  CHECK(back.instance == hello.instance);
  CHECK(back.addresses == hello.addresses);
  CHECK(back.revision == UINT64_MAX);
  CHECK(back.digest == hello.digest);
}

TEST_CASE("A library update decodes to what was encoded, with exact 64-bit numbers") {
  LibraryUpdate update{.base = UINT64_MAX - 1, .revision = UINT64_MAX, .last = false};
  update.games = {game("Doom"), game("Quake \"III\"")};
  update.games[0].modified = INT64_MIN;
  update.games[1].modified = INT64_MAX;
  update.removed = {"Tetris"};
  const auto back = std::get<LibraryUpdate>(read(encode(SessionMessage(update))));
  CHECK(back.base == update.base);
  CHECK(back.revision == update.revision);
  CHECK_FALSE(back.last);
  CHECK(back.games == update.games);
  CHECK(back.removed == update.removed);
}

TEST_CASE("Requests, pings, pongs, goodbyes and refusals decode to what was encoded") {
  CHECK(std::get<LibraryRequest>(read(R"({"type":"library_request","since":18446744073709551615})")).since ==
        UINT64_MAX);
  CHECK(std::get<Ping>(read(encode(SessionMessage(Ping{5})))).nonce == 5);
  CHECK(std::get<Pong>(read(R"({"nonce":9007199254740993,"type":"pong"})")).nonce == 9007199254740993);
  CHECK(std::get<Goodbye>(read(encode(SessionMessage(Goodbye{"shutting down"})))).reason == "shutting down");
  CHECK(std::get<Refusal>(read(encode(SessionMessage(Refusal{""})))).reason.empty());
}

TEST_CASE("Peer hints decode to what was encoded, and keep their limits") {
  PeerHints hints;
  PeerHint hint;
  hint.id.bytes.fill(7);
  hint.name = "Ada";
  for (std::size_t i = 0; i < kMaxHintAddresses; ++i) hint.addresses.push_back("10.0.0.1:" + std::to_string(i + 1));
  hints.peers.assign(kMaxHintsPerMessage, hint);
  const std::string text = encode(SessionMessage(hints));
  CHECK(text.starts_with(R"({"peers":[{"addresses":["10.0.0.1:1",)"));
  CHECK(std::get<PeerHints>(read(text)).peers == hints.peers);
  CHECK(std::get<PeerHints>(read(R"({"type":"peers","peers":[]})")).peers.empty());
  hints.peers.push_back(hint);
  CHECK_FALSE(decode_text(encode(SessionMessage(hints))));
  hints.peers.assign(1, hint);
  hints.peers[0].addresses.push_back("10.0.0.1:99");
  CHECK_FALSE(decode_text(encode(SessionMessage(hints))));
  hints.peers.assign(1, hint);
  hints.peers[0].addresses[0] = "http://example";
  CHECK_FALSE(decode_text(encode(SessionMessage(hints))));
  CHECK_FALSE(decode_text(R"({"type":"peers","peers":[{"id":"00","name":"a","addresses":[]}]})"));
}

TEST_CASE("Holdings decode to what was encoded, and keep their limits") {
  Holdings holdings{"Doom", {}, kMaxGameChunks, {{0, 12}, {40, 4}, {kMaxGameChunks - 1, 1}}};
  holdings.version.bytes.fill(10);
  const std::string text = encode(SessionMessage(holdings));
  CHECK_THAT(text, ContainsSubstring(R"("ranges":[[0,12],[40,4],[4194303,1]])"));
  const auto back = std::get<Holdings>(read(text));
  CHECK(back.game == "Doom");
  CHECK(back.version == holdings.version);
  CHECK(back.chunks == kMaxGameChunks);
  CHECK(back.runs == holdings.runs);
  CHECK(std::get<Holdings>(read(replaced(text, "[0,12],[40,4],[4194303,1]", ""))).runs.empty());
  for (const char* wrong :
       {"[0,0]", "[4194304,1]", "[4194303,2]", "[5,18446744073709551615]", "[0,1],[1,1]", "[5,1],[0,1]", "[-1,1]",
        "[0]", "[0,1,2]", "0", R"({"first":0})", R"(["0",1])", "[0.0,1]"}) {
    INFO(wrong);
    CHECK_THAT(refusal(replaced(text, "[0,12],[40,4],[4194303,1]", wrong)), ContainsSubstring("ranges"));
  }
  CHECK_THAT(refusal(replaced(text, "4194304", "4194305")), ContainsSubstring("chunks is too large"));
  CHECK_THAT(refusal(replaced(text, "Doom", ".Doom")), ContainsSubstring("game"));
  holdings.runs.clear();
  for (std::size_t i = 0; i < kMaxHoldingRuns; ++i) holdings.runs.push_back({i * 1000, 999});
  const std::string full = encode(SessionMessage(holdings));
  CHECK(full.size() < kMaxFrameBytes / 4);
  CHECK(std::get<Holdings>(read(full)).runs.size() == kMaxHoldingRuns);
  holdings.runs.push_back({kMaxHoldingRuns * 1000, 1});
  CHECK_THAT(refusal(encode(SessionMessage(holdings))), ContainsSubstring("more than 4096"));

  const HoldingsEnd end{"Doom", holdings.version};
  const auto over = std::get<HoldingsEnd>(read(encode(SessionMessage(end))));
  CHECK(over.game == "Doom");
  CHECK(over.version == holdings.version);
  CHECK_FALSE(decode_text(R"({"type":"holdings_end","game":"Doom"})"));
}

TEST_CASE("A reason with illegal characters is escaped and clipped") {
  const auto reason = [](std::string text) {
    return std::get<Goodbye>(read(encode(SessionMessage(Goodbye{std::move(text)})))).reason;
  };
  CHECK(reason("a\nb\xff") == "a\\x0ab\\xff");
  CHECK(reason(std::string(kMaxReasonBytes - 1, 'x') + "ü") == std::string(kMaxReasonBytes - 1, 'x'));
}

TEST_CASE("Unknown types and fields are ignored") {
  const auto unknown = decode_text(R"({"type":"party_proof","mac":"00","deep":[[{}]]})");
  REQUIRE(unknown);
  CHECK_FALSE(unknown->has_value());
  CHECK(std::get<Ping>(read(R"({"type":"ping","nonce":1,"extra":{"a":[1.5]}})")).nonce == 1);
}

TEST_CASE("Text that is not a legal message is rejected") {
  for (const char* text : {"",
                           "{",
                           "[]",
                           "null",
                           "1",
                           "\"x\"",
                           "{}",
                           R"({"type":1})",
                           R"({"type":""})",
                           R"({"type":"ping"})",
                           R"({"type":"ping","nonce":-1})",
                           R"({"type":"ping","nonce":-0})",
                           R"({"type":"ping","nonce":1.0})",
                           R"({"type":"ping","nonce":1e3})",
                           R"({"type":"ping","nonce":"1"})",
                           R"({"type":"ping","nonce":18446744073709551616})",
                           R"({"type":"ping","nonce":1e999})",
                           R"({"type":"ping","nonce":1} x)",
                           R"({"type":"ping","nonce":1,"nonce":2})",
                           R"({"type":"ping","type":"ping","nonce":1})",
                           "{\"type\":\"goodbye\",\"reason\":\"\xff\"}",
                           R"({"type":"goodbye","reason":"\u0000"})",
                           R"({"type":"goodbye","reason":"\ud800"})",
                           R"({"type":"goodbye","reason":"\u202e"})",
                           R"({"type":"goodbye","reason":null})"}) {
    CAPTURE(text);
    const auto decoded = decode_text(text);
    REQUIRE_FALSE(decoded);
    CHECK(decoded.error().code == ErrorCode::invalid);
  }
}

TEST_CASE("The largest hello fits the frame limit before Hello, even with every character escaped") {
  Hello hello;
  hello.name = std::string(kMaxNameBytes, '"');
  hello.protocol = UINT32_MAX;
  hello.instance = std::string(64, 'i');
  hello.addresses.assign(kMaxAddressesPerPeer, std::string(80, '1'));
  hello.revision = UINT64_MAX;
  std::string text = encode(SessionMessage(hello));
  CHECK(text.size() <= kMaxFrameBytesBeforeHello);
  CHECK(std::get<Hello>(read(text)).addresses == hello.addresses);
  std::string escaped;  // the longest form of a byte in JSON has six characters
  for (std::size_t i = 0; i < kMaxNameBytes; ++i) escaped += "\\u0022";
  std::string plain;
  for (std::size_t i = 0; i < kMaxNameBytes; ++i) plain += "\\\"";
  text = replaced(text, plain, escaped);
  CHECK(text.size() <= kMaxFrameBytesBeforeHello);
  CHECK(std::get<Hello>(read(text)).name == hello.name);
}

TEST_CASE("A message may have as many values as the limit, and legal messages fit") {
  const std::string start = R"({"type":"ping","nonce":1,"x":[)";
  const auto with = [&](std::size_t values) {  // four of them: the object, its type, its nonce and the array
    std::string text = start + "0";
    for (std::size_t i = 1; i < values - 4; ++i) text += ",0";
    return text + "]}";
  };
  CHECK(refusal(with(kMaxJsonValues)) == "accepted");
  CHECK_THAT(refusal(with(kMaxJsonValues + 1)), ContainsSubstring("more than 32768 values"));
  CHECK(3 * kMaxHoldingRuns + 6 <= kMaxJsonValues);
  CHECK(6 * kMaxGamesPerUpdate + 9 <= kMaxJsonValues);
}

TEST_CASE("A message that is too deep or too long is rejected") {
  const std::string start = R"({"type":"ping","nonce":1,"x":)";
  const auto nested = [&](std::size_t depth) {
    return start + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  CHECK(refusal(nested(kMaxJsonDepth - 1)) == "accepted");
  CHECK_THAT(refusal(nested(kMaxJsonDepth)), ContainsSubstring("nested deeper"));
  CHECK_THAT(refusal(nested(500'000)), ContainsSubstring("nested deeper"));
  CHECK(refusal(start + "\"[[[[[[[[[[[[[[\\\"[[[\"}") == "accepted");
  CHECK_THAT(refusal(std::string(kMaxFrameBytes + 1, ' ')), ContainsSubstring("longer than"));
}

TEST_CASE("Every field of a hello is checked") {
  const std::string good = R"({"type":"hello","id":")" + kHex +
                           R"(","name":"n","protocol":1,"instance":"i","addresses":["1.2.3.4:5"],)" +
                           R"("revision":3,"digest":")" + kHex + R"("})";
  CHECK(refusal(good) == "accepted");
  CHECK_THAT(refusal(replaced(good, kHex, kHex + "a")), ContainsSubstring("id must be 64 hex"));
  CHECK_THAT(refusal(replaced(good, "\"n\"", "\"\"")), ContainsSubstring("name is empty"));
  CHECK_THAT(refusal(replaced(good, "\"n\"", "\"" + std::string(65, 'n') + "\"")), ContainsSubstring("name is longer"));
  CHECK_THAT(refusal(replaced(good, "\"protocol\":1", "\"protocol\":4294967296")),
             ContainsSubstring("protocol is too large"));
  CHECK_THAT(refusal(replaced(good, "\"i\"", "\"i i\"")), ContainsSubstring("instance"));
  CHECK_THAT(refusal(replaced(good, "\"1.2.3.4:5\"", "5")), ContainsSubstring("addresses has an element"));
  CHECK_THAT(refusal(replaced(good, "1.2.3.4:5", "1.2.3.4 5")), ContainsSubstring("addresses has an element"));
  std::string many = "\"a\"";
  for (std::size_t i = 0; i < kMaxAddressesPerPeer; ++i) many += ",\"a\"";
  CHECK_THAT(refusal(replaced(good, "\"1.2.3.4:5\"", many)), ContainsSubstring("addresses has more than 32"));
  CHECK_THAT(refusal(replaced(good, "\"digest\"", "\"diGest\"")), ContainsSubstring("digest is missing"));
}

TEST_CASE("Every game of an update is checked") {
  LibraryUpdate update{.base = 1, .revision = 2};
  update.games = {game("Doom")};
  update.removed = {"Tetris"};
  const std::string good = encode(SessionMessage(update));
  CHECK_THAT(refusal(replaced(good, "Doom", "../x")), ContainsSubstring("games: '../x': id"));
  CHECK_THAT(refusal(replaced(good, "Doom", "Tetris")), ContainsSubstring("twice"));
  CHECK_THAT(refusal(replaced(good, "Tetris", ".x")), ContainsSubstring("removed"));
  CHECK_THAT(refusal(replaced(good, "12528", "1000001")), ContainsSubstring("files is too large"));
  CHECK_THAT(refusal(replaced(good, std::to_string(kMaxGameSize), std::to_string(kMaxGameSize + 1))),
             ContainsSubstring("size"));
  CHECK_THAT(refusal(replaced(good, "\"modified\":-1", "\"modified\":9223372036854775808")),
             ContainsSubstring("modified"));
  CHECK_THAT(refusal(replaced(good, "\"modified\":-1", "\"modified\":-9223372036854775809")),
             ContainsSubstring("modified"));
  CHECK_THAT(refusal(replaced(good, "\"base\":1", "\"base\":3")), ContainsSubstring("base"));
  CHECK_THAT(refusal(replaced(good, "\"last\":true", "\"last\":1")), ContainsSubstring("last"));
}

TEST_CASE("The largest update fits a frame") {
  LibraryUpdate update{.base = UINT64_MAX, .revision = UINT64_MAX};
  for (std::size_t i = 0; i < kMaxGamesPerUpdate; ++i) {
    update.games.push_back(game(std::to_string(10'000 + i) + std::string(250, '"')));
    update.games.back().files = kMaxManifestEntries;
    update.games.back().modified = INT64_MIN;
  }
  const std::string text = encode(SessionMessage(update));
  CHECK(text.size() <= kMaxFrameBytes);
  CHECK(std::get<LibraryUpdate>(read(text)).games == update.games);
  update.removed = {"one more"};
  CHECK_THAT(refusal(encode(SessionMessage(update))), ContainsSubstring("removed has more than 0"));
}

TEST_CASE("Different libraries have different digests") {
  const std::vector<GameSummary> one = {game("a"), game("b")};
  auto other = one;
  CHECK(library_digest(one) == library_digest(other));
  other[1].modified = 0;
  CHECK(library_digest(one) != library_digest(other));
  CHECK(library_digest({}) != library_digest(one));
  // The examples in docs/protocol.md.
  GameSummary doom{.id = "Doom", .size = 300, .files = 2, .modified = -1};
  doom.version.bytes.fill(0xab);
  CHECK(library_digest({doom}).hex() == "1c1554c8750f0de82c4be653482a189e64526dafb711c885bea45269a80aa63e");
  CHECK(library_digest({}).hex() == "d6c852804a92ed5a802322e17b51ab38bffd4854e8f911c7ffbe5c32c7346170");
}

TEST_CASE("The peer and library documents are JSON") {
  Hello hello;
  hello.name = "n";
  CHECK_THAT(peer_document(hello), ContainsSubstring("\"peer_id\": \"0000"));
  CHECK_THAT(library_document(3, {game("Doom")}),
             ContainsSubstring("\"id\": \"Doom\"") && ContainsSubstring("\"revision\": 3"));
}
