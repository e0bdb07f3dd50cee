// LibraryNews: which games came and went, from one snapshot of the library to the next. Pure.
#pragma once

#include <set>
#include <string>

#include "library/library.h"
#include "peer/events.h"

namespace peer::node {

class LibraryNews {
 public:
  /// What was there at the start is no news, however late it is hashed.
  LocalLibraryChanged take(const library::Snapshot& snapshot);

 private:
  bool started_ = false;         // the first listing was seen
  std::set<std::string> known_;  // there at the start, or told as added
};

}  // namespace peer::node
