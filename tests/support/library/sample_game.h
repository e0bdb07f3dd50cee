// SampleGame: a made-up game for tests, with its content, its manifest and the expected tree after it is installed.
#pragma once

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "libpeer/base/random.h"
#include "libpeer/protocol/manifest.h"
#include "support/store/memory_disk.h"

namespace peer::test {

struct SampleGame {
  std::map<std::string, std::string> content;
  std::shared_ptr<const protocol::ManifestDocument> document;
  Digest version;

  const protocol::Manifest& manifest() const { return document->manifest; }
  std::span<const std::uint8_t> chunk(std::size_t index) const {
    const protocol::ChunkPlace place = manifest().place(index);
    const std::string& text = content.at(manifest().files[place.file].path);
    return std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()).subspan(place.offset, place.size);
  }
  std::vector<std::uint8_t> bytes(std::size_t first, std::size_t count) const {
    std::vector<std::uint8_t> all;
    for (std::size_t i = first; i < first + count; ++i) all.insert(all.end(), chunk(i).begin(), chunk(i).end());
    return all;
  }
  /// The tree in the format of MemoryDisk::tree().
  std::vector<std::string> tree() const {
    std::set<std::string> all;
    const auto parents = [&](const std::string& path) {
      for (std::size_t at = path.find('/'); at != path.npos; at = path.find('/', at + 1))
        all.insert(path.substr(0, at + 1));
    };
    for (const auto& file : manifest().files) {
      parents(file.path);
      all.insert(file.path);
    }
    for (const auto& directory : manifest().directories) {
      parents(directory);
      all.insert(directory + "/");
    }
    for (const auto& link : manifest().symlinks) {
      parents(link.path);
      all.insert(link.path + " -> " + link.target);
    }
    return {all.begin(), all.end()};
  }
  bool is_at(const MemoryDisk& disk, const std::string& path) const {
    if (!disk.exists(path) || disk.tree(path) != tree()) return false;
    return std::ranges::all_of(content,
                               [&](const auto& file) { return disk.read(path + "/" + file.first) == file.second; });
  }
};

/// `sizes`: by path. The content depends on the seed, and never begins with zeros. Files whose names end in ".sh" are
/// executable.
inline SampleGame make_game(const std::map<std::string, std::size_t>& sizes, std::uint64_t seed,
                            std::vector<std::string> directories = {},
                            std::vector<protocol::ManifestSymlink> links = {}) {
  SampleGame game;
  const auto random = seeded_random(seed);
  protocol::ManifestDocument document;
  for (const auto& [path, size] : sizes) {
    std::string text(size, '\0');
    random->fill(std::span(reinterpret_cast<std::uint8_t*>(text.data()), text.size()));
    if (size > 0) text[0] = 'x';
    protocol::ManifestFile file;
    file.path = path;
    file.size = size;
    file.executable = path.ends_with(".sh");
    document.manifest.files.push_back(file);
    document.times.file_times.push_back(static_cast<std::int64_t>(1'600'000'000'000'000'000 + seed * 1000 + size));
    const std::span all(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    for (std::size_t at = 0; at < size; at += protocol::kChunkSize) {
      document.manifest.chunks.push_back(
          protocol::hash(all.subspan(at, std::min<std::size_t>(size - at, protocol::kChunkSize))));
    }
    game.content[path] = std::move(text);
  }
  document.manifest.directories = std::move(directories);
  document.manifest.symlinks = std::move(links);
  REQUIRE(protocol::validate(document.manifest).has_value());
  game.version = protocol::version_of(protocol::encode(document.manifest));
  game.document = std::make_shared<const protocol::ManifestDocument>(std::move(document));
  return game;
}

}  // namespace peer::test
