#include "libpeer/protocol/manifest.h"

#include <catch2/catch_test_macros.hpp>

#include "generate.h"
#include "oracle.h"

using namespace peer;
using namespace peer::protocol;
using peer::test::Generator;

namespace {

using Buffer = std::vector<std::uint8_t>;

// Decodes any bytes. Accepted bytes must be canonical, and no entries may conflict. Returns what is wrong.
std::string accepted_wrongly(const Buffer& bytes) {
  const auto decoded = decode_document(bytes);
  if (!decoded) return decoded.error().code == ErrorCode::invalid ? "" : "failed with another error than 'invalid'";
  if (encode(decoded->document) != bytes) return "encodes to other bytes";
  if (version_of(encode(decoded->document.manifest)) != decoded->version) return "has another version";
  if (const std::string path = test::misplaced(decoded->document.manifest); !path.empty()) return "misplaces " + path;
  return "";
}

}  // namespace

TEST_CASE("Manifests: generated documents decode to what was encoded") {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    Generator generator(seed);
    ManifestDocument document = generator.document();
    CAPTURE(seed);
    const auto checked = validate(document.manifest);
    INFO((checked ? "" : checked.error().message));
    REQUIRE(checked);
    REQUIRE(test::misplaced(document.manifest).empty());
    const Buffer bytes = encode(document);
    const auto decoded = decode(bytes, version_of(encode(document.manifest)));
    REQUIRE(decoded);
    REQUIRE(encode(*decoded) == bytes);
    REQUIRE(decoded->times.file_times == document.times.file_times);
    for (std::size_t chunk = 0; chunk < decoded->manifest.chunks.size(); ++chunk) {
      const ChunkPlace place = decoded->manifest.place(chunk);
      const ManifestFile& file = decoded->manifest.files[place.file];
      REQUIRE(place.size > 0);
      REQUIRE(place.offset + place.size <= file.size);
      REQUIRE(file.first_chunk + place.offset / kChunkSize == chunk);
    }
  }
}

TEST_CASE("Manifests: every truncation and single-byte change is rejected or canonical") {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    Generator generator(seed);
    ManifestDocument document = generator.document();
    REQUIRE(validate(document.manifest));
    const Buffer bytes = encode(document);
    CAPTURE(seed);
    const Digest version = version_of(encode(document.manifest));
    const std::size_t canonical = encode(document.manifest).size();
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      const Buffer cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
      REQUIRE(accepted_wrongly(cut).empty());
    }
    for (std::size_t at = 0; at < std::min<std::size_t>(bytes.size(), 300); ++at) {
      Buffer changed = bytes;
      for (int value = 0; value < 256; ++value) {
        changed[at] = static_cast<std::uint8_t>(value);
        if (changed == bytes) continue;
        const std::string wrong = accepted_wrongly(changed);
        INFO("byte " << at << " made " << value << ": " << wrong);
        REQUIRE(wrong.empty());
        if (value % 64 == 0 && at < canonical) REQUIRE_FALSE(decode(changed, version));
      }
    }
  }
}

namespace {

// Makes a legal manifest illegal. Returns how.
std::string spoil(Generator& generator, Manifest& manifest) {
  // This name sorts after all others.
  const std::string name = "~~~" + generator.component();
  switch (generator.below(12)) {
    case 0: return manifest.files.push_back({"~~~" + std::string(generator.below(3), 'x') + "/../" + name}), "dot dot";
    case 1: return manifest.files.insert(manifest.files.begin(), {"/" + name}), "absolute";
    case 2: return manifest.files.push_back({name + "\\x"}), "backslash";
    case 3: return manifest.directories.push_back(name + std::string(1, '\0')), "NUL";
    case 4: return manifest.files.push_back({name + "\xe2\x80\xae"}), "bidi override";
    case 5: return manifest.files.push_back({name + "\xff"}), "not UTF-8";
    case 6: return manifest.files.push_back({name}), manifest.files.push_back({name}), "twice";
    case 7: return manifest.files.push_back({name}), manifest.directories.push_back(name), "file and directory";
    case 8:
      manifest.files.push_back({name});
      for (auto i = generator.below(4); i > 0; --i) manifest.directories.push_back(name + std::string(5 - i, '-'));
      manifest.symlinks.push_back({name + "/" + generator.component(), "."});
      return "below a file";
    case 9:
      return manifest.symlinks.push_back({name, ".."}), manifest.files.push_back({name + "/x"}), "below a symlink";
    case 10: return manifest.symlinks.push_back({name + "/l", generator.one_in(2) ? "../../x" : "/etc"}), "symlink out";
    default: return manifest.directories.push_back(name), manifest.files.push_back({name + "/x"}), "not empty";
  }
}

}  // namespace

TEST_CASE("Manifests: ten thousand illegal ones are rejected") {
  for (std::uint64_t seed = 0; seed < 10'000; ++seed) {
    Generator generator(1'000'000 + seed);
    Manifest manifest = generator.manifest();
    const std::string how = spoil(generator, manifest);
    // encode() does not check paths, so the bytes are well-formed except for the one violation.
    const Buffer bytes = encode(ManifestDocument{manifest, {}});
    const auto decoded = decode(bytes, version_of(encode(manifest)));
    CAPTURE(seed, how);
    REQUIRE_FALSE(decoded);
    REQUIRE(decoded.error().code == ErrorCode::invalid);
    REQUIRE_FALSE(validate(manifest));
  }
}

TEST_CASE("Manifests: the checker agrees with the obvious implementation") {
  for (std::uint64_t seed = 0; seed < 20'000; ++seed) {
    Generator generator(2'000'000 + seed);
    Manifest manifest;
    std::vector<std::string> paths;
    for (auto n = 1 + generator.below(6); n > 0; --n) {
      std::string path;
      for (auto letters = 1 + generator.below(5); letters > 0; --letters) path += "ab-/"[generator.below(4)];
      paths.push_back(path);
    }
    std::ranges::sort(paths);
    for (const std::string& path : paths) {
      if (generator.one_in(2)) {
        manifest.files.push_back({path});
      } else {
        manifest.directories.push_back(path);
      }
    }
    CAPTURE(seed);
    REQUIRE(validate(manifest).has_value() == test::misplaced(manifest).empty());
  }
}
