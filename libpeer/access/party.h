// PartySecret: the party's secret, and proofs of knowing it.
//
// A proof is valid for one connection (it includes the channel binding), one side (the role) and one pair of peers (the
// ids, because TLS's exporter does not cover the client's certificate). Source: docs/protocol.md.
#pragma once

#include <memory>
#include <string_view>

#include "libpeer/base/digest.h"
#include "libpeer/base/result.h"
#include "libpeer/net/link.h"

namespace peer::access {

using PartyProof = Digest;  ///< an HMAC-SHA256

/// The client is the side that dialed.
enum class Role { client, server };

/// Immutable and cheap to copy. Loop: any thread. Owns: the key that is derived from the secret, never the secret
/// itself.
class PartySecret {
 public:
  /// Parses a key file: at least 32 hex digits, or base64 of at least 16 bytes. Surrounding white space is ignored.
  /// Fails: invalid, with a message that does not quote the key.
  static Result<PartySecret> parse(std::string_view text);

  PartyProof prove(Role role, const PeerId& client, const PeerId& server, const net::ChannelBinding& binding) const;
  /// Compares in constant time.
  bool accepts(const PartyProof& proof, Role role, const PeerId& client, const PeerId& server,
               const net::ChannelBinding& binding) const;
  bool operator==(const PartySecret& other) const noexcept;

 private:
  struct Key;
  explicit PartySecret(std::shared_ptr<const Key> key) : key_(std::move(key)) {}
  std::shared_ptr<const Key> key_;
};

}  // namespace peer::access
