// AccessMode: which peers may use this peer, and which peers it uses.
#pragma once

#include <string_view>

namespace peer::access {

/// open: every peer on the local network; party: peers that know the party's key; paired: peers that are paired.
enum class AccessMode { open, party, paired };
std::string_view to_string(AccessMode mode) noexcept;

}  // namespace peer::access
