// The HTTP routes: a request's path to a typed value and back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "libpeer/base/digest.h"
#include "libpeer/base/result.h"

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
struct ChunksRoute {  ///< GET /v1/games/{id}/chunks?version=HEX&first=N&count=N: consecutive chunks' bytes, in manifest
                      ///< order
  std::string game;
  Digest version;
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};
using Route = std::variant<PeerRoute, LibraryRoute, SessionRoute, ProofRoute, ManifestRoute, FileRoute, ChunksRoute>;

/// Percent-decodes and checks each part. Fails: not_found for an unknown path (404), invalid for a bad one (400),
/// refused for a known path with another method (405).
Result<Route> parse_route(std::string_view method, std::string_view path);
/// The path with query, percent-encoded.
std::string format_route(const Route& route);

/// A Range header's single range, resolved against `size`; nothing for a header to ignore. Fails: invalid if
/// unsatisfiable (416).
struct ByteRange {
  std::uint64_t first;
  std::uint64_t length;
};
Result<std::optional<ByteRange>> parse_range(std::string_view header, std::uint64_t size);

/// A request field, with this value, of a single chunk's request: the sender hashes the chunk before it sends it.
inline constexpr std::string_view kVerifyField = "peerd-verify";
inline constexpr std::string_view kVerifyTrue = "?1";
/// Stands in a response whose sender is held back by its own limit or disk, not by the network.
inline constexpr std::string_view kLimitedField = "peerd-limited";
inline constexpr std::string_view kLimitedTrue = "?1";

/// A field of ProofRoute's request and of its answer: each side's proof that it knows the party's secret, as 64 hex
/// digits.
inline constexpr std::string_view kProofField = "peerd-proof";

/// The Accept value by which peers ask for the binary manifest.
inline constexpr std::string_view kManifestMediaType = "application/vnd.peerd.manifest";

}  // namespace peer::protocol
