// PEER_CHECK: an invariant that is checked in every build. What a peer, a user or a disk can cause is no invariant.
#pragma once

namespace peer {

/// Prints the failed expression with its place to stderr and aborts.
[[noreturn]] void check_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace peer

#define PEER_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::peer::check_failed(#condition, __FILE__, __LINE__))
