// AccessMode: which peers this peer deals with.
#pragma once

#include <string_view>

namespace peer::access {

/// Whom this peer deals with: anyone on the local network; those that know the party's key; those that are paired.
enum class AccessMode { open, party, paired };
std::string_view to_string(AccessMode mode) noexcept;

}  // namespace peer::access
