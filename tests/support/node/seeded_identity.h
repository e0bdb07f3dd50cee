// Identities from a seed: peer ids repeat, and so does every decision that depends on them.
#pragma once

#include <cstdint>

#include "libpeer/net/identity.h"

namespace peer::test {

/// The same seed gives the same key and peer id.
net::Identity seeded_identity(std::uint64_t seed);

}  // namespace peer::test
