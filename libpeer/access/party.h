// The party's secret, and the proof that one knows it, bound to one connection and one side of it.
//
// What was proven on one connection proves nothing on another (the channel binding), nor for the other side (the role),
// nor for other peers (the ids; TLS's exporter does not cover the client's certificate). docs/protocol.md has it in
// full.
#pragma once

#include <memory>
#include <string_view>

#include "libpeer/base/digest.h"
#include "libpeer/base/result.h"
#include "libpeer/net/link.h"

namespace peer::access {

using PartyProof = Digest;  ///< an HMAC-SHA256

/// Who dialled.
enum class Role { client, server };

/// Owns: the key that is derived from the secret, never the secret; cheap to copy, immutable, any thread.
class PartySecret {
 public:
  /// A key file's content: 32 hex digits or more, or base64 of 16 bytes or more; white space around it is ignored.
  /// Fails: invalid, with a message that holds nothing of it.
  static Result<PartySecret> parse(std::string_view text);

  PartyProof prove(Role role, const PeerId& client, const PeerId& server, const net::ChannelBinding& binding) const;
  /// In constant time.
  bool accepts(const PartyProof& proof, Role role, const PeerId& client, const PeerId& server,
               const net::ChannelBinding& binding) const;
  bool operator==(const PartySecret& other) const noexcept;

 private:
  struct Key;
  explicit PartySecret(std::shared_ptr<const Key> key) : key_(std::move(key)) {}
  std::shared_ptr<const Key> key_;
};

}  // namespace peer::access
