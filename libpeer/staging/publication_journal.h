// The journal of a publication: what was about to be moved, so that a start after a crash can tell what was.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace peer::staging {

/// "install 0 0": nothing is replaced; the stage's tree tells whether it happened. "exchange N INODE": the new tree's
/// inode tells. "rename N 0": the names tell.
struct Journal {
  enum class Kind : std::uint8_t { install, exchange, rename } kind = Kind::install;
  std::uint64_t number = 0;  ///< below replaced/GAME
  std::uint64_t inode = 0;
};

std::string format(const Journal& journal);
/// Total: nothing if it is none.
std::optional<Journal> parse_journal(std::string_view text);

}  // namespace peer::staging
