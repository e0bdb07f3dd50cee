// A slow and obvious implementation of the rules that ManifestChecker checks.
#pragma once

#include <set>
#include <string>

#include "libpeer/protocol/manifest.h"
#include "libpeer/protocol/path.h"

namespace peer::test {

/// The path of an entry that conflicts with another one on disk or leaves the game; empty if there is none.
inline std::string misplaced(const protocol::Manifest& manifest) {
  std::set<std::string> leaves;
  std::string wrong;
  const auto leaf = [&](const std::string& path) {
    if (protocol::path_problem(path) || !leaves.insert(path).second) wrong = path;
  };
  for (const auto& file : manifest.files) leaf(file.path);
  for (const auto& directory : manifest.directories) leaf(directory);
  for (const auto& symlink : manifest.symlinks) {
    leaf(symlink.path);
    if (protocol::symlink_problem(symlink.path, symlink.target)) wrong = symlink.path;
  }
  for (const std::string& path : leaves) {
    for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      if (leaves.contains(path.substr(0, slash))) wrong = path;
    }
  }
  return wrong;
}

}  // namespace peer::test
