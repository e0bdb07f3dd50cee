// PEER_CHECK: checks an invariant in every build. A condition that a peer, a user or a disk can break is not one.
#pragma once

namespace peer {

/// Prints the failed expression and its location to stderr and aborts.
[[noreturn]] void check_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace peer

#define PEER_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::peer::check_failed(#condition, __FILE__, __LINE__))
