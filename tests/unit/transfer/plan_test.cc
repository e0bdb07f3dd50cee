#include "libpeer/transfer/plan.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <set>

#include "libpeer/base/random.h"

using peer::PeerId;
using peer::protocol::kChunkSize;
using peer::transfer::kSpanBytes;
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

PeerId peer_id(unsigned n) {
  PeerId id;
  id.bytes.fill(0);
  id.bytes[0] = static_cast<std::uint8_t>(n);
  return id;
}

const PeerId kOne = peer_id(1);
const PeerId kTwo = peer_id(2);

std::vector<bool> flags(std::size_t size, std::size_t first, std::size_t count) {
  std::vector<bool> set(size);
  std::fill_n(set.begin() + static_cast<std::ptrdiff_t>(first), count, true);
  return set;
}

/// The chunks that a source is assigned, in order. It delivers each span at once.
std::vector<std::uint64_t> drain(Planner& planner, const PeerId& source) {
  std::vector<std::uint64_t> order;
  while (const auto span = planner.next(source, kSpanBytes)) {
    for (std::uint64_t c = span->first; c < span->first + span->count; ++c) {
      order.push_back(c);
      planner.mark_have(c);
    }
    planner.release(*span);
  }
  return order;
}

}  // namespace

TEST_CASE("A span is a run of chunks of at most the requested size", "[plan]") {
  const auto manifest = manifest_of({10 * kChunkSize + 1});
  Planner planner(manifest, flags(11, 0, 0), 1);
  CHECK_FALSE(planner.next(kOne, kSpanBytes));
  planner.offer_all(kOne);
  std::set<std::uint64_t> seen;
  std::uint64_t bytes = 0;
  while (const auto span = planner.next(kOne, kSpanBytes)) {
    CHECK(span->bytes <= kSpanBytes);
    bytes += span->bytes;
    for (std::uint64_t c = span->first; c < span->first + span->count; ++c) CHECK(seen.insert(c).second);
  }
  CHECK(seen.size() == 11);
  CHECK(bytes == 10 * kChunkSize + 1);
  CHECK_FALSE(planner.complete());
}

TEST_CASE("A span has at least one chunk, however small the requested size", "[plan]") {
  const auto manifest = manifest_of({10 * kChunkSize});
  Planner planner(manifest, flags(10, 0, 0), 1);
  planner.offer_all(kOne);
  CHECK(planner.next(kOne, 1000)->count == 1);
  CHECK(planner.next(kOne, 2 * kChunkSize + 5)->count <= 2);
}

TEST_CASE("Small files share a span, and empty files occupy no place in it", "[plan]") {
  const auto manifest = manifest_of({100, 0, 200, 0, 0, 300});
  Planner planner(manifest, std::vector<bool>(3), 1);
  planner.offer_all(kOne);
  CHECK(planner.next(kOne, kSpanBytes) == Span{0, 3, 600});
  for (std::uint64_t chunk = 0; chunk < 3; ++chunk) planner.mark_have(chunk);
  planner.release({0, 3, 600});
  CHECK(planner.complete());
  CHECK(planner.bytes_have() == planner.bytes_total());
}

TEST_CASE("A span has no more chunks than a request may contain", "[plan]") {
  const auto manifest = manifest_of(std::vector<std::uint64_t>(10'000, 1));
  Planner planner(manifest, std::vector<bool>(10'000), 1);
  planner.offer_all(kOne);
  std::uint64_t most = 0;
  while (const auto span = planner.next(kOne, kSpanBytes)) most = std::max(most, span->count);
  CHECK(most == peer::protocol::kMaxSpanChunks);
}

TEST_CASE("Chunks that are already here are not assigned", "[plan]") {
  const auto manifest = manifest_of({5 * kChunkSize});
  Planner planner(manifest, {false, true, false, false, true}, 1);
  CHECK(planner.bytes_have() == 2 * kChunkSize);
  planner.mark_have(2);  // reused from this disk meanwhile
  planner.offer_all(kOne);
  const auto order = drain(planner, kOne);
  CHECK(std::set(order.begin(), order.end()) == std::set<std::uint64_t>{0, 3});
  CHECK(order.size() == 2);
  CHECK(planner.complete());
}

TEST_CASE("An empty game is complete at once", "[plan]") {
  const auto manifest = manifest_of({0});
  Planner planner(manifest, {}, 1);
  planner.offer_all(kOne);
  CHECK(planner.complete());
  CHECK_FALSE(planner.next(kOne, kSpanBytes));
}

TEST_CASE("A single source is assigned all chunks in order, from a start that depends on the seed", "[plan]") {
  const auto manifest = manifest_of({200 * kChunkSize});
  std::set<std::uint64_t> begins;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    Planner planner(manifest, flags(200, 0, 0), seed);
    planner.offer_all(kOne);
    const auto order = drain(planner, kOne);
    REQUIRE(order.size() == 200);
    for (std::size_t i = 1; i < order.size(); ++i) CHECK(order[i] == (order[i - 1] + 1) % 200);
    begins.insert(order[0]);
    Planner again(manifest, flags(200, 0, 0), seed);
    again.offer_all(kOne);
    CHECK(drain(again, kOne) == order);
  }
  CHECK(begins.size() > 4);
}

TEST_CASE("A source is assigned only chunks that it holds", "[plan]") {
  const auto manifest = manifest_of({40 * kChunkSize});
  Planner planner(manifest, flags(40, 0, 0), 3);
  planner.offer(kOne, flags(40, 10, 7));
  CHECK(planner.is_useful(kOne));
  const auto order = drain(planner, kOne);
  CHECK(std::set(order.begin(), order.end()) == std::set<std::uint64_t>{10, 11, 12, 13, 14, 15, 16});
  CHECK_FALSE(planner.is_useful(kOne));
  planner.offer(kOne, flags(40, 10, 9));
  CHECK(planner.is_useful(kOne));
  CHECK(drain(planner, kOne).size() == 2);
  planner.offer_all(kOne);
  CHECK(planner.next(kOne, kSpanBytes));
  planner.withdraw(kOne);
  CHECK_FALSE(planner.next(kOne, kSpanBytes));
  CHECK_FALSE(planner.is_useful(kOne));
}

TEST_CASE("The rarest pieces come first", "[plan]") {
  const auto manifest = manifest_of({40 * kChunkSize});
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Planner planner(manifest, flags(40, 0, 0), seed);
    planner.offer_all(kOne);
    planner.offer(kTwo, flags(40, 0, 30));
    planner.offer(peer_id(3), flags(40, 0, 20));
    const auto order = drain(planner, kOne);
    REQUIRE(order.size() == 40);
    CHECK(std::ranges::all_of(order.begin(), order.begin() + 10, [](auto c) { return c >= 30; }));
    CHECK(std::ranges::all_of(order.begin() + 10, order.begin() + 20, [](auto c) { return c >= 20 && c < 30; }));
  }
}

TEST_CASE("Downloads that start together fetch few chunks twice from their common source", "[plan]") {
  // Eight downloads take one chunk each from the seed in turn, and exchange their holdings after every third round.
  constexpr std::size_t kChunks = 512;
  const auto manifest = manifest_of({kChunks * kChunkSize});
  std::vector<std::unique_ptr<Planner>> all;
  for (unsigned i = 0; i < 8; ++i) {
    all.push_back(std::make_unique<Planner>(manifest, flags(kChunks, 0, 0), 100 + i));
    all.back()->offer_all(kOne);
  }
  std::size_t from_seed = 0;
  for (int round = 1; round < 2000; ++round) {
    for (unsigned i = 0; i < 8; ++i) {
      if (const auto span = all[i]->next(kOne, kChunkSize)) {
        ++from_seed;
        all[i]->mark_have(span->first);
        all[i]->release(*span);
      }
    }
    if (round % 3 != 0) continue;
    for (unsigned i = 0; i < 8; ++i) {
      for (unsigned k = 0; k < 8; ++k) {
        if (i != k) all[i]->offer(peer_id(10 + k), all[k]->have());
      }
    }
    for (unsigned i = 0; i < 8; ++i) {
      for (unsigned k = 0; k < 8; ++k) {
        for (int n = 0; n < 6; ++n) {  // they are faster than the seed
          const auto span = all[i]->next(peer_id(10 + k), kChunkSize);
          if (!span) break;
          all[i]->mark_have(span->first);
          all[i]->release(*span);
        }
      }
    }
  }
  for (const auto& each : all) CHECK(each->complete());
  CHECK(from_seed < kChunks * 13 / 10);
}

TEST_CASE("In the end game the tail of a span is assigned to one more source, and only one", "[plan]") {
  const auto manifest = manifest_of({8 * kChunkSize});
  Planner planner(manifest, flags(8, 0, 4), 1);
  planner.offer_all(kOne);
  planner.offer_all(kTwo);
  const auto span = planner.next(kOne, kSpanBytes);
  REQUIRE(span == Span{4, 4, 4 * kChunkSize});
  CHECK_FALSE(planner.next(kTwo, kSpanBytes));
  planner.mark_have(4);
  CHECK(planner.bytes_missing(*span) == 3 * kChunkSize);
  CHECK(planner.duplicate(kTwo, *span, 2 * kChunkSize) == Span{6, 2, 2 * kChunkSize});
  CHECK(planner.duplicate(kTwo, *span, 2 * kChunkSize) == Span{5, 1, kChunkSize});
  CHECK_FALSE(planner.duplicate(kTwo, *span, 2 * kChunkSize));
  planner.mark_have(7);
  planner.mark_have(6);
  planner.release({6, 2, 2 * kChunkSize});
  planner.release(*span);
  CHECK_FALSE(planner.next(kOne, kSpanBytes));  // the second source still has it
  planner.release({5, 1, kChunkSize});
  CHECK(planner.next(kOne, kSpanBytes) == Span{5, 1, kChunkSize});
}

TEST_CASE("Whatever the sources do, each missing chunk is assigned once and the game becomes complete", "[plan]") {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    INFO("seed " << seed);
    const auto random = peer::seeded_random(seed);
    std::vector<std::uint64_t> sizes;
    for (std::uint64_t n = random->below(40); n > 0; --n) {
      sizes.push_back(random->below(3) == 0 ? random->below(12 * kChunkSize) : random->below(5000));
    }
    const auto manifest = manifest_of(sizes);
    const std::size_t chunks = manifest.chunks.size();
    const auto some = [&] {
      std::vector<bool> set(chunks);
      for (std::size_t i = 0; i < chunks; ++i) set[i] = random->below(4) == 0;
      return set;
    };
    Planner planner(manifest, some(), seed);
    planner.offer_all(kOne);
    std::vector<std::vector<bool>> holds(4);

    struct Out {
      unsigned source;
      Span span;
    };
    std::vector<Out> out;
    std::vector<int> assigned(chunks);
    for (std::size_t steps = 0; !planner.complete(); ++steps) {
      REQUIRE(steps < 100'000);
      if (random->below(10) == 0) {
        const unsigned source = 2 + static_cast<unsigned>(random->below(2));
        if (random->below(4) == 0) {
          planner.withdraw(peer_id(source));
          holds[source].clear();
        } else {
          holds[source] = some();
          planner.offer(peer_id(source), holds[source]);
        }
      }
      if (out.empty() || random->below(2) == 0) {
        const unsigned source = 1 + static_cast<unsigned>(random->below(3));
        const std::uint64_t most = 1 + random->below(kSpanBytes);
        auto span = planner.next(peer_id(source), most);
        const bool second = !span && !out.empty();
        if (second) span = planner.duplicate(peer_id(source), out[random->below(out.size())].span, most);
        if (span) {
          REQUIRE(span->count > 0);
          REQUIRE(span->count <= peer::protocol::kMaxSpanChunks);
          std::uint64_t bytes = 0;
          for (std::uint64_t c = span->first; c < span->first + span->count; ++c) {
            REQUIRE_FALSE(planner.have()[c]);
            REQUIRE(assigned[c]++ == (second ? 1 : 0));
            REQUIRE((source == 1 || holds[source].at(c)));
            bytes += manifest.place(c).size;
          }
          REQUIRE(bytes == span->bytes);
          REQUIRE((span->count == 1 || bytes <= most));
          out.push_back({source, *span});
          continue;
        }
        if (out.empty()) continue;
      }
      if (random->below(8) == 0) planner.mark_have(random->below(chunks));  // from elsewhere
      const std::size_t pick = random->below(out.size());
      const Span span = out[pick].span;
      out.erase(out.begin() + static_cast<std::ptrdiff_t>(pick));
      const bool fails = random->below(3) == 0;
      const std::uint64_t got = fails ? random->below(span.count + 1) : span.count;
      for (std::uint64_t c = span.first; c < span.first + got; ++c) planner.mark_have(c);
      for (std::uint64_t c = span.first; c < span.first + span.count; ++c) --assigned[c];
      planner.release(span);
    }
    CHECK(planner.bytes_have() == manifest.total_size());
  }
}

TEST_CASE("A source that completes the game is no longer counted as a partial holder", "[plan]") {
  const auto manifest = manifest_of({200 * kChunkSize});
  Planner planner(manifest, flags(200, 0, 0), 3);
  planner.offer_all(kOne);
  planner.offer(kTwo, flags(200, 10, 20));
  planner.offer(kTwo, flags(200, 10, 30));
  planner.offer_all(kTwo);
  planner.withdraw(kTwo);
  const auto order = drain(planner, kOne);
  REQUIRE(order.size() == 200);
  for (std::size_t i = 1; i < order.size(); ++i) CHECK(order[i] == (order[i - 1] + 1) % 200);
}
