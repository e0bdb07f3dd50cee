// for_each_entry(): merges the three lists of a manifest into the one list of the canonical encoding.
#pragma once

#include <string_view>

#include "libpeer/protocol/manifest.h"
#include "libpeer/protocol/manifest_check.h"

namespace peer::protocol {

/// Calls visit(const ManifestEntry&) for each entry, in path order if the lists are sorted.
template <class Visit>
void for_each_entry(const Manifest& manifest, Visit visit) {
  auto file = manifest.files.begin();
  auto directory = manifest.directories.begin();
  auto symlink = manifest.symlinks.begin();
  while (true) {
    const std::string_view* least = nullptr;
    std::string_view paths[3];
    const auto consider = [&](int index, std::string_view path) {
      paths[index] = path;
      if (least == nullptr || path < *least) least = &paths[index];
    };
    if (file != manifest.files.end()) consider(0, file->path);
    if (directory != manifest.directories.end()) consider(1, *directory);
    if (symlink != manifest.symlinks.end()) consider(2, symlink->path);
    if (least == nullptr) return;
    if (least == &paths[0]) {
      visit(ManifestEntry{file->executable ? EntryKind::executable : EntryKind::file, file->path, file->size, {}});
      ++file;
    } else if (least == &paths[1]) {
      visit(ManifestEntry{EntryKind::directory, *directory, 0, {}});
      ++directory;
    } else {
      visit(ManifestEntry{EntryKind::symlink, symlink->path, 0, symlink->target});
      ++symlink;
    }
  }
}

}  // namespace peer::protocol
