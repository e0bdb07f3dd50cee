// Generates random legal manifests and messages from a seed.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libpeer/base/random.h"
#include "libpeer/protocol/manifest.h"
#include "libpeer/protocol/messages.h"

namespace peer::test {

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seeded_random(seed)) {}

  std::uint64_t below(std::uint64_t bound) { return random_->below(bound); }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  std::uint64_t any64() {
    std::uint64_t value = 0;
    random_->fill({reinterpret_cast<std::uint8_t*>(&value), sizeof value});
    return value >> below(64);
  }
  template <class Value>
  Value bytes32() {
    Value value;
    random_->fill(value.bytes);
    return value;
  }

  /// A legal component. It has few different letters, so that names collide, nest and share prefixes.
  std::string component() {
    static const std::vector<std::string> kPieces = {"a",  "b", "A",  "-", " ",  "0", "ü",
                                                     "\"", "%", "日", "~", "x.", "!"};
    std::string out;
    for (std::uint64_t i = 0, n = 1 + below(3); i < n; ++i) out += kPieces[below(kPieces.size())];
    return out;
  }

  protocol::Manifest manifest() {
    enum Kind { file, directory, symlink };
    std::map<std::string, Kind> entries;
    for (std::uint64_t i = 0, n = below(20); i < n; ++i) {
      std::string path = component();
      while (one_in(2)) path += "/" + component();
      if (free(entries, path)) entries[path] = static_cast<Kind>(below(3));
    }
    protocol::Manifest manifest;
    for (const auto& [path, kind] : entries) {
      if (kind == file) {
        const std::uint64_t size = one_in(4) ? 0 : one_in(3) ? protocol::kChunkSize * below(4) : 1 + below(3'000'000);
        manifest.files.push_back({path, size, one_in(3)});
        for (std::size_t c = manifest.files.back().chunk_count(); c > 0; --c)
          manifest.chunks.push_back(bytes32<Digest>());
      } else if (kind == directory) {
        manifest.directories.push_back(path);
      } else {
        std::string target = "./";
        for (auto up = below(1 + static_cast<std::uint64_t>(std::ranges::count(path, '/'))); up > 0; --up)
          target += "../";
        manifest.symlinks.push_back({path, target + component()});
      }
    }
    return manifest;
  }

  protocol::ManifestDocument document() {
    protocol::ManifestDocument document{manifest(), {}};
    document.times.modified = static_cast<std::int64_t>(any64());
    if (one_in(2)) {
      for (std::size_t i = 0; i < document.manifest.files.size(); ++i) {
        document.times.file_times.push_back(static_cast<std::int64_t>(any64()));
      }
    }
    return document;
  }

  protocol::GameSummary summary(std::string id) {
    return {std::move(id), bytes32<Digest>(), below(protocol::kMaxGameSize + 1),
            below(protocol::kMaxManifestEntries + 1), static_cast<std::int64_t>(any64())};
  }

  protocol::SessionMessage message() {
    switch (below(10)) {
      case 0: {
        protocol::Hello hello;
        hello.id = bytes32<PeerId>();
        hello.name = component();
        hello.protocol = static_cast<std::uint32_t>(any64());
        hello.instance = std::to_string(any64());
        for (auto n = below(4); n > 0; --n)
          hello.addresses.push_back("[fe80::" + std::to_string(below(9999)) + "]:24747");
        hello.revision = any64();
        hello.digest = bytes32<Digest>();
        return hello;
      }
      case 1: return protocol::LibraryRequest{any64()};
      case 2: {
        protocol::LibraryUpdate update;
        update.revision = any64();
        update.base = one_in(2) ? 0 : update.revision - update.revision / 3;
        update.digest = bytes32<Digest>();
        update.last = one_in(2);
        const auto games = below(5);
        for (std::uint64_t i = 0; i < games; ++i)
          update.games.push_back(summary("g" + component() + std::to_string(i)));
        for (auto i = below(5); i > 0; --i) update.removed.push_back("r" + component() + std::to_string(i));
        return update;
      }
      case 3: return protocol::Ping{any64()};
      case 4: return protocol::Pong{any64()};
      case 5: return protocol::Goodbye{component()};
      case 6: {
        protocol::PeerHints hints;
        for (auto n = below(4); n > 0; --n) {
          protocol::PeerHint hint{bytes32<PeerId>(), component(), {}};
          for (auto a = below(4); a > 0; --a) hint.addresses.push_back("10.0.0." + std::to_string(below(255)) + ":1");
          hints.peers.push_back(std::move(hint));
        }
        return hints;
      }
      case 7: {
        protocol::Holdings holdings{"g" + component(), bytes32<Digest>(), 0, {}};
        for (auto n = below(6); n > 0; --n) {
          holdings.chunks += below(1000) + 1;
          holdings.runs.push_back({holdings.chunks, below(1000) + 1});
          holdings.chunks += holdings.runs.back().count;
        }
        holdings.chunks += below(1000);
        return holdings;
      }
      case 8: return protocol::HoldingsEnd{"g" + component(), bytes32<Digest>()};
      default: return protocol::Refusal{component()};
    }
  }

 private:
  template <class Map>
  static bool free(const Map& entries, const std::string& path) {
    if (entries.contains(path)) return false;
    for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      if (entries.contains(path.substr(0, slash))) return false;
    }
    const auto below = entries.lower_bound(path + "/");
    return below == entries.end() || !below->first.starts_with(path + "/");
  }

  std::unique_ptr<Random> random_;
};

}  // namespace peer::test
