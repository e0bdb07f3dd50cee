#include "libpeer/transfer/documents.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstdio>

#include "libpeer/runtime/manual_executor.h"
#include "libpeer/runtime/scope.h"
#include "support/net/fake_stream.h"
#include "support/run_task.h"

using namespace peer;
using transfer::Documents;
using namespace std::chrono_literals;

namespace {

std::shared_ptr<const library::OfferedGame> game_with(std::size_t files) {
  auto document = std::make_shared<protocol::ManifestDocument>();
  for (std::size_t i = 0; i < files; ++i) {
    document->manifest.files.push_back({"data/some/directory/file" + std::to_string(1'000'000 + i), 1, false, i});
    document->manifest.chunks.emplace_back();
    document->times.file_times.push_back(static_cast<std::int64_t>(i));
  }
  auto game = std::make_shared<library::OfferedGame>();
  game->document = std::move(document);
  return game;
}

std::shared_ptr<library::Snapshot> library_with(std::size_t games, std::uint64_t revision) {
  auto snapshot = std::make_shared<library::Snapshot>();
  const auto offered = game_with(1);
  for (std::size_t i = 0; i < games; ++i) {
    auto game = std::make_shared<library::LocalGame>();
    game->id = "game" + std::to_string(100'000 + i);
    game->offered = offered;
    snapshot->games.push_back(std::move(game));
  }
  snapshot->revision = revision;
  return snapshot;
}

/// Workers that count their jobs and the most that run at once.
class CountingWorkers final : public runtime::Workers {
 public:
  explicit CountingWorkers(runtime::ManualExecutor& executor) : workers_(executor, 1, 5ms) {}
  void submit(Job job) override {
    ++jobs;
    workers_.submit([job = std::move(job)]() mutable { job(); });
  }
  int jobs = 0;

 private:
  runtime::ManualWorkers workers_;
};

struct DocumentRequests {
  runtime::ManualExecutor executor;
  CountingWorkers workers{executor};
  Documents documents{workers};
  runtime::Scope scope{executor, "test", runtime::CancellationToken()};
  std::vector<std::unique_ptr<test::FakeServerStream>> streams;
  std::vector<net::SharedBytes> answers;

  ~DocumentRequests() {
    scope.request_stop();
    executor.run_ready();
    test::run_task(executor, scope.join());
  }
  const test::FakeServerStream& stream(int host) {
    streams.push_back(std::make_unique<test::FakeServerStream>(
        net::RequestHead{"GET", "/", {}}, std::nullopt,
        *net::SocketAddress::parse("10.0.0." + std::to_string(host) + ":1"), static_cast<std::uint8_t>(host)));
    return *streams.back();
  }
  static runtime::Task<void> keep(DocumentRequests& self, runtime::Task<net::SharedBytes> task) {
    net::SharedBytes bytes = co_await task;
    self.answers.push_back(std::move(bytes));
  }
  void ask(runtime::Task<net::SharedBytes> task) { scope.spawn("ask", keep(*this, std::move(task))); }
};

}  // namespace

TEST_CASE("Requests for the same document share one encoding", "[documents]") {
  DocumentRequests f;
  const auto snapshot = library_with(2000, 7);
  for (int i = 0; i < 64; ++i)
    f.ask(f.documents.library(f.stream(i % 3), snapshot, snapshot->revision, f.scope.token()));
  f.executor.advance(1s);
  REQUIRE(f.answers.size() == 64);
  CHECK(std::ranges::all_of(f.answers, [&f](const auto& bytes) { return bytes == f.answers[0]; }));
  CHECK(f.workers.jobs == 1);
  // Another snapshot with the same offer has the same document; one with another offer has not.
  f.ask(f.documents.library(f.stream(1), library_with(2000, 7), 7, f.scope.token()));
  f.executor.advance(1s);
  CHECK(f.workers.jobs == 1);
  f.ask(f.documents.library(f.stream(1), library_with(1999, 8), 8, f.scope.token()));
  f.executor.advance(1s);
  CHECK(f.workers.jobs == 2);
  CHECK(f.answers.back() != f.answers.front());
  const auto game = game_with(100);
  for (const auto format : {Documents::Format::json, Documents::Format::binary, Documents::Format::json}) {
    f.ask(f.documents.manifest(f.stream(1), game, format, f.scope.token()));
    f.executor.advance(1s);
  }
  CHECK(f.workers.jobs == 4);
}

TEST_CASE("If the request that encodes is cancelled, another one encodes", "[documents]") {
  DocumentRequests f;
  const auto game = game_with(100);
  runtime::Scope first(f.scope, "first");
  const auto& stream = f.stream(1);
  first.spawn("ask",
              DocumentRequests::keep(f, f.documents.manifest(stream, game, Documents::Format::json, first.token())));
  f.executor.run_ready();
  f.ask(f.documents.manifest(f.stream(2), game, Documents::Format::json, f.scope.token()));
  f.executor.run_ready();
  first.request_stop();
  f.executor.advance(1s);
  CHECK(f.answers.size() >= 1);
  test::run_sync(f.executor, first.join());
}

TEST_CASE("Documents that are not read do not keep others from being encoded", "[documents]") {
  DocumentRequests f;
  // One host asks for many large manifests and reads none of them.
  for (int i = 0; i < 40; ++i) {
    f.ask(f.documents.manifest(f.stream(1), game_with(20'000), Documents::Format::json, f.scope.token()));
  }
  f.executor.advance(10s);
  const std::size_t unread = f.answers.size();
  CHECK(unread < 40);
  CHECK(f.documents.memory() <= protocol::kDocumentMemory * 2 / 3);
  std::uint64_t bytes = 0;
  for (const auto& answer : f.answers) bytes += answer->size();
  CHECK(bytes <= f.documents.memory());  // the estimate is not too low
  CHECK(f.documents.contended());
  f.ask(f.documents.manifest(f.stream(2), game_with(20'000), Documents::Format::json, f.scope.token()));
  f.executor.advance(100ms);
  CHECK(f.answers.size() == unread + 1);
  // The rest follows as documents are read.
  for (int round = 0; round < 40; ++round) {
    std::vector<net::SharedBytes> read;
    read.swap(f.answers);
    read.clear();
    f.executor.advance(100ms);
  }
  CHECK_FALSE(f.documents.contended());
  CHECK(f.documents.memory() <= protocol::kDocumentMemory / 2);
}

TEST_CASE("A document above the memory for all is still encoded", "[documents]") {
  DocumentRequests f;
  const auto small = game_with(20'000);
  f.ask(f.documents.manifest(f.stream(2), small, Documents::Format::json, f.scope.token()));
  f.executor.advance(1s);
  f.answers.clear();
  f.executor.run_ready();
  CHECK(f.documents.memory() > 0);  // kept for the next request, until the memory is needed
  f.ask(f.documents.manifest(f.stream(1), game_with(300'000), Documents::Format::json, f.scope.token()));
  f.executor.advance(1s);
  REQUIRE(f.answers.size() == 1);
  f.answers.clear();
  f.executor.run_ready();
  CHECK(f.documents.memory() == 0);  // too large to be kept
}

TEST_CASE("The time to get a document on the network's loop", "[.][benchmark]") {
  const auto measure = [](const char* what, auto ask) {
    DocumentRequests f;
    ask(f);
    f.executor.advance(1s);
    const auto begin = std::chrono::steady_clock::now();
    constexpr int kRounds = 1000;
    for (int i = 0; i < kRounds; ++i) ask(f);
    f.executor.run_ready();
    const auto took = std::chrono::steady_clock::now() - begin;
    std::printf("%s: %.1f us for each request after the first, %zu bytes\n", what,
                std::chrono::duration<double, std::micro>(took).count() / kRounds, f.answers.front()->size());
  };
  const auto snapshot = library_with(10'000, 1);
  measure("library of 10,000 games", [&](DocumentRequests& f) {
    f.ask(f.documents.library(f.stream(1), snapshot, snapshot->revision, f.scope.token()));
  });
  const auto game = game_with(200'000);
  measure("manifest of 200,000 files", [&](DocumentRequests& f) {
    f.ask(f.documents.manifest(f.stream(1), game, Documents::Format::json, f.scope.token()));
  });
}
