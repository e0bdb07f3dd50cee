// Finds out whether other users can write to a directory, or replace it.
//
// Loop: none; it blocks.
#pragma once

#include <optional>

namespace peer::store {

/// Walks from the open `directory` up to the root. Returns how far above it (0: itself) the first directory is that
/// users other than root and this process's can write to. The owner can. A group can unless the owner is its only
/// member. Above `directory`, the sticky bit protects: only owners can rename its entries. A directory
/// whose access cannot be determined counts as writable.
std::optional<int> writable_by_others(int directory);

}  // namespace peer::store
