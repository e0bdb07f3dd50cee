// LibraryNews: which offered games came and went, from one snapshot of the library to the next. Pure.
#pragma once

#include <map>
#include <string>

#include "libpeer/api/events.h"
#include "libpeer/library/library.h"

namespace peer::node {

class LibraryNews {
 public:
  /// What was there at the start is no news, however late it is hashed.
  api::LocalLibraryChanged take(const library::Snapshot& snapshot);

 private:
  bool started_ = false;  // the first listing was seen
  /// There at the start, or told as added; whether it has been offered since.
  std::map<std::string, bool> known_;
};

}  // namespace peer::node
