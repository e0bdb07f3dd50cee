// Prints the CPU time of decoding what other peers send: per byte for each kind of session message at its largest legal
// size, for manifests, and per library update of a peer with many games.
//
//   remote_bench
#include <time.h>

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "libpeer/protocol/limits.h"
#include "libpeer/protocol/manifest.h"
#include "libpeer/protocol/messages.h"
#include "libpeer/sessions/remote_library.h"

using namespace peer;

namespace {

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// CPU seconds of one call, measured over at least 0.3 s.
double measure(const std::function<void()>& call) {
  const double began = cpu_seconds();
  double used = 0;
  int calls = 0;
  while (used < 0.3) {
    call();
    ++calls;
    used = cpu_seconds() - began;
  }
  return used / calls;
}

void print_decode(const char* what, const std::string& text) {
  const std::span bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  bool legal = false;
  const double seconds = measure([&] { legal = protocol::decode(bytes).has_value(); });
  std::printf("%-44s %9zu bytes  %8.2f ms  %6.1f ns/byte  %s\n", what, text.size(), seconds * 1e3,
              seconds * 1e9 / static_cast<double>(text.size()), legal ? "legal" : "refused");
}

std::string repeated(const std::string& head, const std::string& item, std::size_t most, const std::string& tail) {
  std::string text = head + item;
  while (text.size() + item.size() + 1 + tail.size() <= most) text += "," + item;
  return text + tail;
}

protocol::GameSummary game(std::size_t number, std::size_t id_bytes) {
  protocol::GameSummary summary;
  summary.id = std::to_string(100'000 + number);
  summary.id.resize(id_bytes, 'x');
  summary.size = number;
  return summary;
}

void bench_messages() {
  protocol::LibraryUpdate update;
  for (std::size_t i = 0; i < protocol::kMaxGamesPerUpdate; ++i) update.games.push_back(game(i, 255));
  print_decode("library_update, 1,000 games", protocol::encode(update));
  protocol::LibraryUpdate removal;
  for (std::size_t i = 0; i < protocol::kMaxGamesPerUpdate; ++i) removal.removed.push_back(game(i, 255).id);
  print_decode("library_update, 1,000 removals", protocol::encode(removal));
  protocol::Holdings holdings;
  holdings.game = "game";
  holdings.chunks = protocol::kMaxGameChunks;
  for (std::size_t i = 0; i < protocol::kMaxHoldingRuns; ++i) holdings.runs.push_back({i * 1000, 999});
  print_decode("holdings, 4,096 ranges", protocol::encode(holdings));
  protocol::PeerHints hints;
  for (std::size_t i = 0; i < protocol::kMaxHintsPerMessage; ++i) {
    protocol::PeerHint hint;
    hint.name = std::string(protocol::kMaxNameBytes, 'n');
    hint.addresses.assign(protocol::kMaxHintAddresses, std::string(80, '1'));
    hints.peers.push_back(hint);
  }
  print_decode("peers, 64 hints", protocol::encode(hints));
  const std::size_t most = protocol::kMaxFrameBytes;
  print_decode("an unknown type with one long string",
               "{\"type\":\"x\",\"a\":\"" + std::string(most - 20, 'a') + "\"}");
  std::string escaped = "{\"type\":\"x\",\"a\":\"";
  while (escaped.size() + 8 <= most) escaped += "\\u00e9";
  print_decode("a long string of escapes", escaped + "\"}");
  print_decode("[[],[],...]", repeated("{\"type\":\"x\",\"a\":[", "[]", most, "]}"));
  print_decode("[{},{},...]", repeated("{\"type\":\"x\",\"a\":[", "{}", most, "]}"));
  print_decode("[0.1e-300,...]", repeated("{\"type\":\"x\",\"a\":[", "1234567890123456789e-300", most, "]}"));
  print_decode("digits without end", "{\"type\":\"x\",\"a\":" + std::string(most - 20, '7') + "}");
  print_decode("spaces", "{\"type\":\"x\"" + std::string(most - 12, ' ') + "}");
}

void bench_manifest() {
  protocol::ManifestDocument document;
  for (std::size_t i = 0; i < protocol::kMaxManifestEntries; ++i) {
    document.manifest.files.emplace_back();
    document.manifest.files.back().path = "directory/" + std::to_string(10'000'000 + i);
  }
  const auto bytes = protocol::encode(document);
  bool legal = false;
  const double seconds = measure([&] { legal = protocol::decode_document(bytes).has_value(); });
  std::printf("%-44s %9zu bytes  %8.2f ms  %6.1f ns/byte  %s\n", "manifest, 1,000,000 empty files", bytes.size(),
              seconds * 1e3, seconds * 1e9 / static_cast<double>(bytes.size()), legal ? "legal" : "refused");
}

void bench_deltas() {
  for (const std::size_t count : {std::size_t{10}, std::size_t{1'000}, protocol::kMaxGamesPerPeer}) {
    protocol::LibraryUpdate snapshot;
    for (std::size_t i = 0; i < count; ++i) snapshot.games.push_back(game(i, 20));
    snapshot.revision = 1;
    snapshot.digest = protocol::library_digest(snapshot.games);
    sessions::RemoteLibrary library;
    sessions::DigestBudget budget;
    const runtime::TimePoint now{std::chrono::hours(1)};
    library.apply(snapshot, budget, now);
    protocol::LibraryUpdate delta;
    delta.digest = snapshot.digest;
    const auto next = [&] {
      delta.base = library.revision;
      delta.revision = library.revision + 1;
      library.apply(delta, budget, now);
    };
    const double empty = measure(next);
    delta.games = {game(0, 20)};
    std::uint64_t size = 1'000'000;
    const double small = measure([&] {
      delta.games[0].size = ++size;
      delta.digest.bytes[0] = static_cast<std::uint8_t>(size);
      next();
    });
    const double check = measure([&] { static_cast<void>(protocol::library_digest(snapshot.games)); });
    std::printf("%6zu games: empty delta %7.2f us, delta of one game %7.2f us, check of the digest %7.2f us\n", count,
                empty * 1e6, small * 1e6, check * 1e6);
  }
}

}  // namespace

int main() {
  bench_messages();
  bench_manifest();
  bench_deltas();
}
