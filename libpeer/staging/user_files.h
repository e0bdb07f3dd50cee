// User files: what a person has changed or added in a game's directory outlives an update.
//
// Works on the replaced tree, after the exchange: what is the old version's goes, what was added moves into the new
// version's tree, what was changed stays where it is. Each step is one rename or one removal, so that it can be cut off
// anywhere and done again; whatever is in doubt or fails stays where it is.
// Loop: none; workers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libpeer/base/result.h"
#include "libpeer/library/library.h"
#include "libpeer/protocol/manifest.h"
#include "libpeer/store/disk.h"

namespace peer::staging {

struct UserFiles {
  std::string game;
  std::string place;          ///< where the replaced tree lies
  bool whole = false;         ///< nobody knows which files are the user's: all were kept
  std::uint64_t carried = 0;  ///< files that were added: they lie in the new tree
  std::uint64_t kept = 0;     ///< files that were changed, or whose place is taken
  std::optional<Error> problem;

  /// For the log; empty: there is nothing to tell.
  std::string describe() const;
};

/// Leaves empty directories behind: they may go once what was moved out of them is durable.
/// `old`: the version that `replaced` held. `known`: its files as they were when hashed; may be null: then they are
/// read.
void sort_out(store::Directory& replaced, store::Directory& installed, const protocol::Manifest& old,
              const library::OfferedGame* known, UserFiles& result);

/// The directories below it in which there is no file. What cannot be removed stays.
void remove_empty(store::Directory& directory);

}  // namespace peer::staging
