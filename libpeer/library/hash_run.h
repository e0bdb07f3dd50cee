// The hashing of one game as the library's loop sees it.
#pragma once

#include "libpeer/library/examiner.h"

namespace peer::library {

/// Loop: the library's; `work` is shared with the streams on the workers.
struct Examiner::HashRun {
  HashRun(Entry& e, std::shared_ptr<const ScannedGame> s, KnownChunks k)
      : entry(e), scan(std::move(s)), known(std::move(k)) {
    work.root = entry.root;
    work.game = entry.name;
    work.bounds = entry.shown.bounds;
    work.scan = scan;
    work.files = known.missing;
    bytes_hashed = known.bytes;
  }

  Entry& entry;
  std::shared_ptr<const ScannedGame> scan;
  KnownChunks known;
  HashWork work;
  std::uint64_t bytes_hashed = 0;
  bool changed = false;
  std::vector<Problem> unreadable;
  std::vector<store::CachedFile> unsaved;
  std::uint64_t unsaved_bytes = 0;
};

}  // namespace peer::library
