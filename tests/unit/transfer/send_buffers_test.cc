#include "libpeer/transfer/send_buffers.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <map>

#include "libpeer/runtime/manual_executor.h"
#include "libpeer/runtime/scope.h"
#include "support/net/fake_stream.h"
#include "support/run_task.h"

using namespace peer;
using transfer::SendBuffers;
using namespace std::chrono_literals;

namespace {

net::SocketAddress host(int number) { return *net::SocketAddress::parse("10.0.0." + std::to_string(number) + ":5000"); }

test::FakeServerStream stream_from(const net::SocketAddress& address, int connection) {
  return {net::RequestHead{"GET", "/", {}}, std::nullopt, address, static_cast<std::uint8_t>(connection)};
}

runtime::Task<void> keep_buffer(runtime::ManualExecutor& executor, net::SharedBytes& kept) {
  SendBuffers buffers(executor, SendBuffers::kBatchBytes);
  const test::FakeServerStream stream = stream_from({}, 0);
  const runtime::CancellationToken never;
  const auto flow = buffers.begin(stream);
  kept = co_await buffers.acquire(flow, SendBuffers::kBatchBytes, SendBuffers::kBatchBytes, never);
  CHECK(buffers.used() == SendBuffers::kBatchBytes);
}

/// A reader of one response that acknowledges nothing until told to.
struct Reader {
  std::vector<net::SharedBytes> unread;
  std::uint64_t received = 0;
  bool reset = false;

  std::uint64_t held() const {
    std::uint64_t bytes = 0;
    for (const auto& buffer : unread) bytes += buffer->size();
    return bytes;
  }
};

runtime::Task<void> respond(SendBuffers& buffers, net::SocketAddress address, int connection, Reader& reader,
                            runtime::CancellationToken token) {
  const test::FakeServerStream stream = stream_from(address, connection);
  const auto flow = buffers.begin(stream);
  for (;;) {
    const std::size_t most = SendBuffers::batch(*flow);
    auto buffer = co_await buffers.acquire(flow, std::min(most, protocol::kFirstSendBytes), most, token);
    reader.reset = !buffer;
    if (!buffer) co_return;
    reader.received += buffer->size();
    reader.unread.push_back(std::move(buffer));
  }
}

/// Many responses from one set of buffers.
struct Crowd {
  runtime::ManualExecutor executor;
  SendBuffers buffers{executor, protocol::kSendMemory};
  runtime::Scope scope{executor, "test", runtime::CancellationToken()};
  std::vector<std::unique_ptr<Reader>> readers;

  Reader& start(const net::SocketAddress& address, int connection) {
    readers.push_back(std::make_unique<Reader>());
    scope.spawn("response", respond(buffers, address, connection, *readers.back(), scope.token()));
    executor.run_ready();
    return *readers.back();
  }
  /// The reader reads everything at once, so many times.
  void read(Reader& reader, int times) {
    for (int i = 0; i < times; ++i) {
      reader.unread.clear();
      executor.run_ready();
      executor.advance(1ms);
    }
  }
  /// The reader proves that it is fast, then reads nothing more.
  Reader& start_greedy(const net::SocketAddress& address, int connection) {
    Reader& reader = start(address, connection);
    read(reader, 10);
    return reader;
  }
  ~Crowd() {
    scope.request_stop();
    executor.run_ready();
    test::run_task(executor, scope.join());
  }
};

}  // namespace

TEST_CASE("A buffer may outlive the SendBuffers that it came from", "[budget]") {
  runtime::ManualExecutor executor;
  net::SharedBytes kept;
  test::run_task(executor, keep_buffer(executor, kept));
  CHECK(kept->size() == SendBuffers::kBatchBytes);
  kept.reset();
}

TEST_CASE("A response that acknowledges nothing holds one small buffer", "[budget]") {
  Crowd crowd;
  for (int i = 0; i < 64; ++i) CHECK(crowd.start(host(1), 1).held() == protocol::kFirstSendBytes);
  CHECK(crowd.buffers.used() == 64 * protocol::kFirstSendBytes);
}

TEST_CASE("A fast reader gets buffers that grow, up to the limit of a stream", "[budget]") {
  Crowd crowd;
  Reader& reader = crowd.start_greedy(host(1), 1);
  CHECK(reader.unread.back()->size() == SendBuffers::kBatchBytes);
  CHECK(reader.held() == net::kMaxUnackedPerStream);
}

TEST_CASE("One host leaves memory for others, however many connections and streams it uses", "[budget]") {
  Crowd crowd;
  const int connections = GENERATE(1, 4, 20, 50);
  for (int connection = 0; connection < connections; ++connection) {
    for (int i = 0; i < 64; ++i) crowd.start_greedy(host(1), connection);
  }
  CHECK(crowd.buffers.used() < protocol::kSendMemory);
  const std::uint64_t taken = crowd.buffers.used();
  const std::uint64_t floors = static_cast<std::uint64_t>(connections) * protocol::kFirstSendBytes;
  CHECK(taken <= protocol::kSendMemory * 2 / 3 + floors);
  // Without waiting for anyone, another host gets a buffer, and the next ones as fast as it reads.
  Reader& honest = crowd.start_greedy(host(2), 200);
  const std::uint64_t before = honest.received;
  crowd.read(honest, 100);
  CHECK(honest.received - before >= 100 * protocol::kFirstSendBytes * 4);
  // So does another connection from the same host: an attacker beside an honest program.
  Reader& neighbour = crowd.start(host(1), 201);
  crowd.read(neighbour, 100);
  CHECK(neighbour.received >= 100 * protocol::kFirstSendBytes);
}

TEST_CASE("A response that is not read is reset only while others wait for memory", "[budget]") {
  Crowd crowd;
  std::vector<Reader*> stuck;
  for (int i = 0; i < 64; ++i) stuck.push_back(&crowd.start_greedy(host(1), 1));
  crowd.read(*crowd.readers.back(), 1);
  const auto resets = [&] { return std::ranges::count_if(stuck, [](Reader* reader) { return reader->reset; }); };
  const bool others_wait = std::ranges::any_of(stuck, [](Reader* reader) { return reader->received == 0; });
  if (!others_wait) {
    crowd.executor.advance(1min);
    CHECK(resets() == 0);
  }
  // More connections than there are first buffers.
  for (int connection = 2; connection < 40; ++connection) {
    for (int i = 0; i < 64; ++i) crowd.start(host(connection), connection);
  }
  crowd.executor.advance(protocol::kSendProgressDeadline - 1s);
  CHECK(resets() == 0);
  crowd.executor.advance(2s);
  CHECK(resets() > 0);
}

TEST_CASE("Hosts that wait take turns", "[budget]") {
  Crowd crowd;
  // 100 hosts want more than there is, one of them with 64 streams on each of 3 connections.
  for (int i = 0; i < 192; ++i) crowd.start_greedy(host(1), i % 3);
  for (int number = 2; number <= 100; ++number) {
    for (int i = 0; i < 4; ++i) crowd.start_greedy(host(number), number);
  }
  std::map<const Reader*, std::uint64_t> before;
  for (const auto& reader : crowd.readers) before[reader.get()] = reader->received;
  for (int round = 0; round < 50; ++round) {
    for (const auto& reader : crowd.readers) reader->unread.clear();
    crowd.executor.run_ready();
    crowd.executor.advance(1ms);
  }
  std::uint64_t first = 0;
  for (std::size_t i = 0; i < 192; ++i) first += crowd.readers[i]->received - before[crowd.readers[i].get()];
  for (std::size_t i = 192; i < crowd.readers.size(); i += 4) {
    std::uint64_t bytes = 0;
    for (std::size_t j = i; j < i + 4; ++j) bytes += crowd.readers[j]->received - before[crowd.readers[j].get()];
    CHECK(bytes * 8 > first);
  }
}
