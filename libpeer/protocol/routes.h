// The HTTP routes: parses a request's path into a typed value, and formats it again.
//
// Source: docs/protocol.md, section 4.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "libpeer/base/digest.h"
#include "libpeer/protocol/http_status.h"

namespace peer::protocol {

struct PeerRoute {};     ///< GET /v1/peer
struct LibraryRoute {};  ///< GET /v1/library
struct SessionRoute {};  ///< POST /v1/session
struct ProofRoute {};    ///< POST /v1/proof
struct ManifestRoute {   ///< GET /v1/games/{id}/manifest[?version=HEX]
  std::string game;
  std::optional<Digest> version;
};
struct FileRoute {  ///< GET /v1/games/{id}/files/{path}
  std::string game;
  std::string path;
};
/// GET /v1/games/{id}/chunks?version=HEX&first=N&count=N: the bytes of consecutive chunks, in manifest order
struct ChunksRoute {
  std::string game;
  Digest version;
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};
using Route = std::variant<PeerRoute, LibraryRoute, SessionRoute, ProofRoute, ManifestRoute, FileRoute, ChunksRoute>;

/// Decodes percent escapes and checks every part. Fails: not_found for an unknown path, bad_request for an illegal
/// part, method_not_allowed for a known path with another method.
std::expected<Route, HttpRefusal> parse_route(std::string_view method, std::string_view path);
/// The path with its query, percent-encoded.
std::string format_route(const Route& route);

struct ByteRange {
  std::uint64_t first;
  std::uint64_t length;
};
/// Parses a Range header against a file of `size` bytes. Returns nothing for a header that must be ignored: several
/// ranges, another unit or bad syntax. Fails: range_not_satisfiable.
std::expected<std::optional<ByteRange>, HttpRefusal> parse_range(std::string_view header, std::uint64_t size);

/// A field of a request for one chunk: with this value, the sender verifies the chunk's hash before it sends the chunk.
inline constexpr std::string_view kVerifyField = "peerd-verify";
inline constexpr std::string_view kVerifyTrue = "?1";
/// A field of a response: with this value, the sender's rate limit or disk bounds its speed, not the network.
inline constexpr std::string_view kLimitedField = "peerd-limited";
inline constexpr std::string_view kLimitedTrue = "?1";

/// A field of ProofRoute's request and response: the sender's proof that it knows the party's secret, as 64 hex digits.
inline constexpr std::string_view kProofField = "peerd-proof";

/// The Accept value that requests a manifest in binary form.
inline constexpr std::string_view kManifestMediaType = "application/vnd.peerd.manifest";

}  // namespace peer::protocol
