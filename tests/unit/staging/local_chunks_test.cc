#include "libpeer/staging/local_chunks.h"

#include <catch2/catch_test_macros.hpp>
#include <ctime>

#include "libpeer/runtime/manual_executor.h"
#include "support/run_task.h"

using namespace peer;

namespace {

/// A version of one file whose hashes differ only in their last bytes. `step`: the distance between two hashes.
protocol::Manifest same_prefixes(std::uint32_t chunks, std::uint32_t step = 1) {
  protocol::Manifest manifest;
  manifest.files.push_back({"file", chunks * protocol::kChunkSize, false, 0});
  manifest.chunks.resize(chunks);
  for (std::uint32_t i = 0; i < chunks; ++i) {
    const std::uint32_t number = i * step * 2'654'435'761U;  // in no order
    for (unsigned byte = 0; byte < 4; ++byte) {
      manifest.chunks[i].bytes[28 + byte] = static_cast<std::uint8_t>(number >> (8 * byte));
    }
  }
  return manifest;
}

library::Snapshot library_of(protocol::Manifest manifest) {
  auto document = std::make_shared<protocol::ManifestDocument>();
  document->manifest = std::move(manifest);
  auto offered = std::make_shared<library::OfferedGame>();
  offered->document = std::move(document);
  auto game = std::make_shared<library::LocalGame>();
  game->id = "game";
  game->offered = std::move(offered);
  library::Snapshot snapshot;
  snapshot.games.push_back(std::move(game));
  return snapshot;
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace

TEST_CASE("Hashes with equal prefixes are searched as fast as others", "[staging]") {
  constexpr std::uint32_t kChunks = 300'000;
  const protocol::Manifest wanted = same_prefixes(kChunks);
  const library::Snapshot snapshot = library_of(same_prefixes(kChunks, 2));
  std::vector<bool> have(kChunks);
  have[2] = true;
  const double begin = cpu_seconds();
  const auto found = staging::find_local_copies(snapshot, wanted, have, runtime::StopFlag());
  CHECK(cpu_seconds() - begin < 10);  // under a second; a hash table with these keys takes minutes
  CHECK(found.copies.size() == kChunks / 2 - 1);
  for (const staging::LocalCopy& copy : found.copies) {
    REQUIRE(copy.chunk % 2 == 0);
    REQUIRE(copy.position.offset == copy.chunk / 2 * protocol::kChunkSize);
  }
}

TEST_CASE("Every chunk with the same hash is copied, from one place", "[staging]") {
  protocol::Manifest wanted = same_prefixes(6);
  wanted.chunks[4] = wanted.chunks[5] = wanted.chunks[1];
  protocol::Manifest here = same_prefixes(3);
  here.chunks[2] = here.chunks[1];
  const auto found = staging::find_local_copies(library_of(here), wanted, std::vector<bool>(6), runtime::StopFlag());
  std::vector<std::uint64_t> chunks;
  for (const staging::LocalCopy& copy : found.copies) chunks.push_back(copy.chunk);
  CHECK(chunks == std::vector<std::uint64_t>{0, 1, 4, 5});
  CHECK(found.bytes == 4 * protocol::kChunkSize);
}

TEST_CASE("A stopped search does not sort", "[staging]") {
  runtime::ManualExecutor executor;
  runtime::ManualWorkers workers(executor, 1, runtime::Duration(0));
  runtime::CancellationSource source;
  constexpr std::uint32_t kChunks = 4'000'000;
  const protocol::Manifest wanted = same_prefixes(kChunks);
  const library::Snapshot snapshot = library_of(same_prefixes(1));
  double took = 0;
  auto job = [&](const runtime::StopFlag& stop) {
    source.request();
    const double begin = cpu_seconds();
    const auto found = staging::find_local_copies(snapshot, wanted, std::vector<bool>(kChunks), stop);
    took = cpu_seconds() - begin;
    return found.copies.size();
  };
  CHECK(test::run_task(executor, runtime::offload(workers, job, source.token())) == 0);
  CHECK(took < 1);  // a few hundredths
}
