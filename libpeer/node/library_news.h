// LibraryNews: which offered games were added and removed between two snapshots of the library. Does no I/O.
#pragma once

#include <map>
#include <string>

#include "libpeer/api/events.h"
#include "libpeer/library/library.h"

namespace peer::node {

class LibraryNews {
 public:
  /// The changes since the previous call. A game that existed at the start is never reported as added, even if its
  /// hashing ends later.
  api::LocalLibraryChanged update(const library::Snapshot& snapshot);

 private:
  bool started_ = false;  ///< a complete listing has been seen
  /// Games that existed at the start or were reported as added, with the flag "has been offered since".
  std::map<std::string, bool> known_;
};

}  // namespace peer::node
