// The messages of a session, the control stream between two peers: POST /v1/session with JSON frames in both
// directions.
//
// Each side first sends Hello. If the digest in it differs from that of the known library, the receiver sends a
// LibraryRequest and gets LibraryUpdates. Later, updates carry the changes since a revision. PeerHints name other
// peers, peers that download the same version exchange Holdings, Ping and Pong keep an idle session alive, and Goodbye
// is the last message. Source: docs/protocol.md, section 5.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "libpeer/base/digest.h"
#include "libpeer/base/result.h"

namespace peer::protocol {

inline constexpr std::uint32_t kProtocolVersion = 1;

/// A game that a peer offers, without its files.
struct GameSummary {
  std::string id;
  Digest version;
  std::uint64_t size = 0;
  std::uint64_t files = 0;
  std::int64_t modified = 0;  ///< nanoseconds since 1970
  bool operator==(const GameSummary&) const = default;
};

struct Hello {
  PeerId id;  ///< must be the id of the certificate
  std::string name;
  std::uint32_t protocol = kProtocolVersion;
  std::string instance;                ///< differs after every start of the program
  std::vector<std::string> addresses;  ///< "ip:port" of its listeners; hints
  std::uint64_t revision = 0;          ///< of the sender's library; increases within an instance
  Digest digest;                       ///< of the sender's library, see library_digest()
};

/// Requests the library: all of it, or the changes since a revision of the receiver's current instance.
struct LibraryRequest {
  std::uint64_t since = 0;  ///< 0: everything
};

/// Idempotent. In an update of several parts, only the last part has `last`.
struct LibraryUpdate {
  std::uint64_t base = 0;  ///< the revision that it builds on; 0: a snapshot, which replaces everything
  std::uint64_t revision = 0;
  Digest digest;  ///< of the library after the last part
  bool last = true;
  std::vector<GameSummary> games;    ///< added or changed
  std::vector<std::string> removed;  ///< ids of games that are no longer offered
};

struct Ping {
  std::uint64_t nonce = 0;
};
struct Pong {
  std::uint64_t nonce = 0;
};
struct Goodbye {
  std::string reason;
};
/// Ends the session. The other side should not try again soon.
struct Refusal {
  std::string reason;
};

/// Another peer on the network. Nothing here is proven.
struct PeerHint {
  PeerId id;
  std::string name;
  std::vector<std::string> addresses;  ///< "ip:port" of its listeners
  bool operator==(const PeerHint&) const = default;
};
/// Peers that the sender is connected with and has not named in this session.
struct PeerHints {
  std::vector<PeerHint> peers;
};

/// Consecutive chunks.
struct HeldRun {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  bool operator==(const HeldRun&) const = default;
};
/// The sender downloads a version and already serves these chunks of it, in addition to those of earlier messages in
/// this session.
struct Holdings {
  std::string game;
  Digest version;
  std::uint64_t chunks = 0;   ///< the number of chunks of the version
  std::vector<HeldRun> runs;  ///< ascending, with gaps between them
};
/// The sender no longer downloads the version. Its earlier Holdings no longer apply.
struct HoldingsEnd {
  std::string game;
  Digest version;
};

using SessionMessage =
    std::variant<Hello, LibraryRequest, LibraryUpdate, Ping, Pong, Goodbye, Refusal, PeerHints, Holdings, HoldingsEnd>;

/// The payload of a frame, as JSON. On the wire, its length precedes it as 4 bytes, big-endian.
std::string encode(const SessionMessage& message);
/// Checks every field and limit. Ignores unknown fields; an unknown type returns `nullopt`. Fails: invalid.
Result<std::optional<SessionMessage>> decode(std::span<const std::uint8_t> payload);

/// BLAKE3-256 of the summaries: equal libraries have equal digests. Source: docs/protocol.md, section 6.
Digest library_digest(const std::vector<GameSummary>& sorted_by_id);
Digest library_digest_of(std::span<const GameSummary* const> sorted_by_id);

/// The JSON documents of GET /v1/peer and GET /v1/library.
std::string peer_document(const Hello& hello);
std::string library_document(std::uint64_t revision, const std::vector<GameSummary>& games);

}  // namespace peer::protocol
