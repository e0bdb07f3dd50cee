#include "libpeer/protocol/routes.h"

#include <array>
#include <catch2/catch_test_macros.hpp>

#include "libpeer/protocol/limits.h"

using namespace peer;
using namespace peer::protocol;

namespace {

const std::string kHex(64, 'b');

template <class T>
T route(std::string_view path, std::string_view method = "GET") {
  auto parsed = parse_route(method, path);
  INFO(path << (parsed ? "" : parsed.error().message));
  REQUIRE(parsed);
  REQUIRE(std::holds_alternative<T>(*parsed));
  return std::get<T>(*parsed);
}

std::optional<HttpStatus> refusal(std::string_view method, std::string_view path) {
  const auto parsed = parse_route(method, path);
  if (parsed) return std::nullopt;
  return parsed.error().status;
}

// "first+length", "ignored" or "unsatisfiable".
std::string range(std::string_view header, std::uint64_t size) {
  const auto parsed = parse_range(header, size);
  if (!parsed) return "unsatisfiable";
  if (!*parsed) return "ignored";
  return std::to_string((*parsed)->first) + "+" + std::to_string((*parsed)->length);
}

}  // namespace

TEST_CASE("Every route is parsed with its parameters") {
  route<PeerRoute>("/v1/peer");
  route<PeerRoute>("/v1/peer", "HEAD");
  route<LibraryRoute>("/v1/library?later=1");
  route<SessionRoute>("/v1/session", "POST");
  route<ProofRoute>("/v1/proof", "POST");
  CHECK(route<ManifestRoute>("/v1/games/Half%20Life/manifest").game == "Half Life");
  CHECK(route<ManifestRoute>("/v1/games/x/manifest?version=" + kHex).version->hex() == kHex);
  const auto file = route<FileRoute>("/v1/games/x/files/a%25/b%3F/%C3%BC");
  CHECK(file.path == "a%/b?/ü");
  const auto chunks =
      route<ChunksRoute>("/v1/games/x/chunks?count=4096&version=" + kHex + "&first=18446744073709547519");
  CHECK(chunks.first == UINT64_MAX - 4096);
  CHECK(chunks.count == 4096);
}

TEST_CASE("A formatted route parses to the same route") {
  for (const Route& original :
       {Route(PeerRoute{}), Route(ManifestRoute{"a b%ü", std::nullopt}), Route(FileRoute{"g", "x y/+&=?#/ü"}),
        Route(ChunksRoute{"g", *Digest::from_hex(kHex), 0, 1})}) {
    const std::string path = format_route(original);
    CAPTURE(path);
    const auto parsed = parse_route("GET", path);
    REQUIRE(parsed);
    CHECK(format_route(*parsed) == path);
  }
}

TEST_CASE("An unknown path is not found, and a known path refuses other methods") {
  for (const char* path :
       {"", "/", "*", "/v1", "/v1/", "/v1/peer/", "/v2/peer", "/v1/games", "/v1/games/", "/v1/games/x", "/v1/games/x/",
        "/v1/games/x/manifests", "/v1/games/x/files", "//v1/peer", "/v1/%70eer"}) {
    CAPTURE(path);
    CHECK(refusal("GET", path) == HttpStatus::not_found);
  }
  CHECK(refusal("POST", "/v1/peer") == HttpStatus::method_not_allowed);
  CHECK(refusal("GET", "/v1/session") == HttpStatus::method_not_allowed);
  CHECK(refusal("DELETE", "/v1/games/x/manifest") == HttpStatus::method_not_allowed);
  CHECK(refusal("get", "/v1/peer") == HttpStatus::method_not_allowed);
  for (const auto& [method, path, allow] :
       {std::array{"GET", "/v1/proof", "POST"}, {"GET", "/v1/session", "POST"}, {"POST", "/v1/library", "GET, HEAD"}}) {
    CAPTURE(method, path);
    CHECK(parse_route(method, path).error().allow == allow);
  }
}

TEST_CASE("A path or query that breaks a rule is a bad request") {
  for (const std::string& path : {std::string("/v1/games/../manifest"),
                                  std::string("/v1/games/.x/manifest"),
                                  std::string("/v1/games/%2e%2e/manifest"),
                                  std::string("/v1/games/a%2Fb/manifest"),
                                  std::string("/v1/games/%/manifest"),
                                  std::string("/v1/games/%4/manifest"),
                                  std::string("/v1/games/%zz/manifest"),
                                  std::string("/v1/games/x/files/"),
                                  std::string("/v1/games/x/files/a//b"),
                                  std::string("/v1/games/x/files/../../etc/passwd"),
                                  std::string("/v1/games/x/files/%2e%2e/y"),
                                  std::string("/v1/games/x/files/a%2fb"),
                                  std::string("/v1/games/x/files/a%00"),
                                  std::string("/v1/games/x/files/a%5Cb"),
                                  std::string("/v1/games/x/files/%ff"),
                                  std::string("/v1/games/x/files//etc/passwd"),
                                  std::string("/v1/peer#x"),
                                  std::string("/v1/pe er"),
                                  std::string("/v1/games/x/manifest?version=abc"),
                                  "/v1/games/x/manifest?version=" + kHex + "&version=" + kHex,
                                  std::string("/v1/games/x/chunks"),
                                  "/v1/games/x/chunks?version=" + kHex,
                                  "/v1/games/x/chunks?version=" + kHex + "&first=0&count=0",
                                  "/v1/games/x/chunks?version=" + kHex + "&first=0&count=4097",
                                  "/v1/games/x/chunks?version=" + kHex + "&first=-1&count=1",
                                  "/v1/games/x/chunks?version=" + kHex + "&first=00&count=1",
                                  "/v1/games/x/chunks?version=" + kHex + "&first=%30&count=1",
                                  "/v1/games/x/chunks?version=" + kHex + "&first=18446744073709551615&count=1",
                                  "/v1/games/x/chunks?version=" + kHex + "&first=18446744073709551616&count=1",
                                  "/v1/games/x/files/" + std::string(20'000, 'a')}) {
    CAPTURE(path);
    CHECK(refusal("GET", path) == HttpStatus::bad_request);
  }
}

TEST_CASE("A Range header is resolved, found unsatisfiable, or ignored") {
  CHECK(range("bytes=0-9", 100) == "0+10");
  CHECK(range("Bytes=10-", 100) == "10+90");
  CHECK(range("bytes=-30", 100) == "70+30");
  CHECK(range("bytes=-300", 100) == "0+100");
  CHECK(range("bytes=99-200", 100) == "99+1");
  CHECK(range(" bytes= 5-5 ", 100) == "5+1");
  CHECK(range("bytes=0-99999999999999999999999", 100) == "0+100");
  CHECK(range("bytes=0-", UINT64_MAX) == "0+18446744073709551615");
  CHECK(range("bytes=100-", 100) == "unsatisfiable");
  CHECK(range("bytes=99999999999999999999999-", 100) == "unsatisfiable");
  CHECK(range("bytes=-0", 100) == "unsatisfiable");
  CHECK(range("bytes=0-0", 0) == "unsatisfiable");
  CHECK(range("bytes=-5", 0) == "ignored");
  for (const char* header : {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=9-5", "bytes=0-1,5-6", "items=0-5",
                             "bytes=1", "bytes=+1-2"}) {
    CAPTURE(header);
    CHECK(range(header, 100) == "ignored");
  }
}
