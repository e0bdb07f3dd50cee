#include "transfer/plan.h"

#include <catch2/catch_test_macros.hpp>

#include "base/random.h"

using peer::protocol::kChunkSize;
using peer::transfer::Planner;
using peer::transfer::Span;

namespace {

peer::protocol::Manifest manifest_of(const std::vector<std::uint64_t>& sizes) {
  peer::protocol::Manifest manifest;
  for (const std::uint64_t size : sizes) {
    peer::protocol::ManifestFile file;
    file.path = "f" + std::to_string(manifest.files.size());
    file.size = size;
    file.first_chunk = manifest.chunks.size();
    manifest.chunks.resize(manifest.chunks.size() + file.chunk_count());
    manifest.files.push_back(file);
  }
  return manifest;
}

}  // namespace

TEST_CASE("A span is a run of chunks of about four MiB", "[plan]") {
  const auto manifest = manifest_of({10 * kChunkSize + 1});
  Planner planner(manifest, std::vector<bool>(11));
  CHECK(planner.next() == Span{0, 4, 4 * kChunkSize});
  CHECK(planner.next() == Span{4, 4, 4 * kChunkSize});
  CHECK(planner.next() == Span{8, 3, 2 * kChunkSize + 1});
  CHECK(planner.next() == std::nullopt);
  CHECK_FALSE(planner.complete());
}

TEST_CASE("Many small files share a span, empty ones take no place", "[plan]") {
  const auto manifest = manifest_of({100, 0, 200, 0, 0, 300});
  Planner planner(manifest, std::vector<bool>(3));
  CHECK(planner.next() == Span{0, 3, 600});
  for (std::uint64_t chunk = 0; chunk < 3; ++chunk) planner.had(chunk);
  CHECK(planner.complete());
  CHECK(planner.bytes_had() == planner.bytes_total());
}

TEST_CASE("A span has no more chunks than one request may ask for", "[plan]") {
  const auto manifest = manifest_of(std::vector<std::uint64_t>(10'000, 1));
  Planner planner(manifest, std::vector<bool>(10'000));
  CHECK(planner.next() == Span{0, peer::protocol::kMaxSpanChunks, peer::protocol::kMaxSpanChunks});
}

TEST_CASE("What is here already is not planned", "[plan]") {
  const auto manifest = manifest_of({5 * kChunkSize});
  Planner planner(manifest, {false, true, false, false, true});
  CHECK(planner.bytes_had() == 2 * kChunkSize);
  CHECK(planner.next() == Span{0, 1, kChunkSize});
  planner.had(2);  // found on this disk meanwhile
  CHECK(planner.next() == Span{3, 1, kChunkSize});
  CHECK(planner.next() == std::nullopt);
}

TEST_CASE("An empty game is complete at once", "[plan]") {
  const auto manifest = manifest_of({0});
  Planner planner(manifest, {});
  CHECK(planner.complete());
  CHECK(planner.next() == std::nullopt);
}

TEST_CASE("Whatever sources do, each missing chunk is assigned once and all are had in the end", "[plan]") {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    INFO("seed " << seed);
    const auto random = peer::seeded_random(seed);
    std::vector<std::uint64_t> sizes;
    for (std::uint64_t n = random->below(40); n > 0; --n) {
      sizes.push_back(random->below(3) == 0 ? random->below(12 * kChunkSize) : random->below(5000));
    }
    const auto manifest = manifest_of(sizes);
    const std::size_t chunks = manifest.chunks.size();
    std::vector<bool> have(chunks);
    for (std::size_t i = 0; i < chunks; ++i) have[i] = random->below(4) == 0;
    Planner planner(manifest, have);

    std::vector<Span> out;
    std::vector<int> assigned(chunks);
    for (std::size_t steps = 0; !planner.complete(); ++steps) {
      REQUIRE(steps < 100'000);
      if (out.empty() || random->below(2) == 0) {
        const auto span = planner.next();
        if (span) {
          REQUIRE(span->count > 0);
          REQUIRE(span->count <= peer::protocol::kMaxSpanChunks);
          std::uint64_t bytes = 0;
          for (std::uint64_t c = span->first; c < span->first + span->count; ++c) {
            REQUIRE_FALSE(planner.have()[c]);
            REQUIRE(assigned[c]++ == 0);
            bytes += manifest.place(c).size;
          }
          REQUIRE(bytes == span->bytes);
          REQUIRE((span->count == 1 || bytes <= peer::transfer::kSpanBytes));
          out.push_back(*span);
          continue;
        }
        REQUIRE_FALSE(out.empty());
      }
      if (random->below(8) == 0) planner.had(random->below(chunks));  // from elsewhere
      const std::size_t pick = random->below(out.size());
      const Span span = out[pick];
      out.erase(out.begin() + static_cast<std::ptrdiff_t>(pick));
      const bool fails = random->below(3) == 0;
      const std::uint64_t got = fails ? random->below(span.count + 1) : span.count;
      for (std::uint64_t c = span.first; c < span.first + got; ++c) planner.had(c);
      for (std::uint64_t c = span.first; c < span.first + span.count; ++c) --assigned[c];
      if (fails) planner.returned(span);
    }
    CHECK(planner.bytes_had() == manifest.total_size());
  }
}
