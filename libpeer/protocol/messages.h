// The messages of a session: the one control stream of a pair of peers, POST /v1/session, JSON frames both ways.
//
// Order: each side sends Hello first. Equal digests exchange nothing more; otherwise each asks with LibraryRequest for
// what it lacks and gets LibraryUpdates. Afterwards updates come as deltas by revision, PeerHints when others come,
// Holdings among those that download the same, Ping and Pong when idle, Goodbye last.
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

/// One game one peer offers, without its files.
struct GameSummary {
  std::string id;
  Digest version;
  std::uint64_t size = 0;
  std::uint64_t files = 0;
  std::int64_t modified = 0;  ///< ns since 1970
  bool operator==(const GameSummary&) const = default;
};

struct Hello {
  PeerId id;  ///< must be the certificate's
  std::string name;
  std::uint32_t protocol = kProtocolVersion;
  std::string instance;                ///< changes with every start
  std::vector<std::string> addresses;  ///< "ip:port" of its listeners; hints
  std::uint64_t revision = 0;          ///< of its library; counts up within an instance
  Digest digest;                       ///< of its library's summaries, see library_digest()
};

/// "Send me your library": all of it, or what changed since a revision of this instance.
struct LibraryRequest {
  std::uint64_t since = 0;  ///< 0: all
};

/// Applying the same update twice changes nothing. An update in several parts has `last` only on its last one.
struct LibraryUpdate {
  std::uint64_t base = 0;  ///< the revision it starts from; 0: a snapshot, everything else is to be forgotten
  std::uint64_t revision = 0;
  Digest digest;  ///< after the last part
  bool last = true;
  std::vector<GameSummary> games;    ///< added or changed
  std::vector<std::string> removed;  ///< ids
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
/// A refusal that the other side should remember ("protocol 2 is not spoken here").
struct Refusal {
  std::string reason;
};

/// Somebody else who is there. Nothing of it is proven.
struct PeerHint {
  PeerId id;
  std::string name;
  std::vector<std::string> addresses;  ///< "ip:port" of its listeners
  bool operator==(const PeerHint&) const = default;
};
/// Whom the sender is connected with, as far as it has not said so in this session.
struct PeerHints {
  std::vector<PeerHint> peers;
};

/// Consecutive chunks.
struct HeldRun {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  bool operator==(const HeldRun&) const = default;
};
/// The sender is downloading a version, and serves these chunks of it already, beside those it has told of in this
/// session.
struct Holdings {
  std::string game;
  Digest version;
  std::uint64_t chunks = 0;   ///< of the whole version
  std::vector<HeldRun> runs;  ///< ascending, apart from each other
};
/// It is no longer downloading it; what it told of that version is void.
struct HoldingsEnd {
  std::string game;
  Digest version;
};

using SessionMessage =
    std::variant<Hello, LibraryRequest, LibraryUpdate, Ping, Pong, Goodbye, Refusal, PeerHints, Holdings, HoldingsEnd>;

/// One frame's payload: JSON. On the wire 4 bytes of length, big-endian, stand before it.
std::string encode(const SessionMessage& message);
/// Checks every field and limit; unknown fields are ignored, an unknown type is `nullopt` (a later version's).
Result<std::optional<SessionMessage>> decode(std::span<const std::uint8_t> payload);

/// BLAKE3 over the sorted summaries: equal libraries have equal digests.
Digest library_digest(const std::vector<GameSummary>& sorted_by_id);

/// JSON for people: GET /v1/peer and GET /v1/library.
std::string peer_document(const Hello& hello);
std::string library_document(std::uint64_t revision, const std::vector<GameSummary>& games);

}  // namespace peer::protocol
