// Snapshot: an immutable copy of the library: its games, and the version that is offered of each.
//
// Loop: any; a snapshot is never changed after it is published.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/base/digest.h"
#include "libpeer/protocol/manifest.h"
#include "libpeer/protocol/messages.h"
#include "libpeer/store/store.h"

namespace peer::library {

class LinkPolicy;

enum class GameState { ready, hashing, downloading, modified, damaged, unshareable };
std::string_view to_string(GameState state) noexcept;

/// Why a path is not shared, or cannot be read.
struct Problem {
  std::string path;
  std::string reason;
  bool operator==(const Problem&) const = default;
};

/// A hashed version of a game on this disk. It is complete unless files were changed after a download installed it.
struct OfferedGame {
  Digest version;
  std::shared_ptr<const protocol::ManifestDocument> document;
  std::vector<store::FileStamp> stamps;  ///< one per manifest file, taken when the file was hashed
  std::vector<bool> intact;              ///< one per chunk; empty if every chunk is intact
  /// Sorted indices of files whose executable bit on disk differs from the manifest, because the file system does not
  /// store it.
  std::vector<std::size_t> lost_executable_bits;

  /// Whether all these chunks are intact.
  bool holds(std::size_t first_chunk, std::size_t count) const;
  /// Whether the whole file is intact.
  bool holds_file(std::size_t file) const;
};

struct LocalGame {
  std::string id;
  std::string root;  ///< path of the library root
  GameState state = GameState::hashing;
  std::shared_ptr<const OfferedGame> offered;  ///< null while nothing is offered
  std::uint64_t size = 0;                      ///< total size of the files found, in bytes
  std::uint64_t files = 0;
  std::uint64_t bytes_hashed = 0;  ///< progress while hashing
  std::vector<Problem> problems;
  bool downloaded = false;  ///< a download installed it; false until the first scan has ended
  std::shared_ptr<const LinkPolicy>
      bounds;  ///< checks where a symlink may lead when the game is opened; null: no check
};

/// Games are sorted by id.
struct Snapshot {
  std::uint64_t revision = 0;  ///< grows whenever the offered versions change
  Digest digest;               ///< protocol::library_digest of the summaries
  /// Library roots that are missing or unreadable, with the reason.
  std::vector<Problem> missing_roots;
  bool complete = false;  ///< the first listing of the roots is included
  std::vector<std::shared_ptr<const LocalGame>> games;

  /// Null if there is no such game.
  const LocalGame* find(std::string_view id) const;
  /// The offered games, as peers see them.
  std::vector<protocol::GameSummary> summaries() const;
};

}  // namespace peer::library
