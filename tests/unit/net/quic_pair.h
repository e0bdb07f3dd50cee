// QuicPair: two endpoints for tests of QUIC and HTTP/3. One of them serves.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libpeer/base/random.h"
#include "libpeer/net/endpoint.h"
#include "libpeer/net/udp_socket.h"
#include "libpeer/runtime/event.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/sleep.h"
#include "support/net/sim_network.h"
#include "support/run_task.h"

namespace peer::test {

inline net::Identity new_identity() {
  auto identity = net::Identity::generate();
  REQUIRE(identity.has_value());
  return std::move(*identity);
}

/// An endpoint, and the tasks that run it and serve on it.
class QuicHost {
 public:
  using Tune = std::function<void(net::EndpointOptions&)>;

  QuicHost(runtime::Scope& scope, std::unique_ptr<net::DatagramSocket> socket, std::uint64_t seed,
           const Tune& tune = {})
      : scope_(scope), random_(seeded_random(seed)) {
    net::EndpointOptions options(new_identity(), random_.get());
    if (tune) tune(options);
    id_ = options.identity.id();
    endpoint_ = std::make_unique<net::Endpoint>(scope, std::move(socket), std::move(options));
    scope_.spawn("run", endpoint_->run(run_.token()));
  }
  void serve(net::RequestHandler handler) {
    serving_ = true;
    scope_.spawn("serve", serve_until(std::move(handler)));
  }
  net::Endpoint& endpoint() { return *endpoint_; }
  const PeerId& id() const { return id_; }
  net::SocketAddress address() const { return endpoint_->local_address(); }
  void stop_serving() { serve_.request(); }
  runtime::Task<void> served() {
    serve_.request();
    if (serving_) co_await served_.wait(runtime::CancellationToken{});
  }
  /// Ends as the daemon does: stops serving, then closes.
  runtime::Task<void> stop() {
    auto end = served();
    co_await end;
    run_.request();
  }
  void stop_now() {
    serve_.request();
    run_.request();
  }

 private:
  runtime::Task<void> serve_until(net::RequestHandler handler) {
    auto serving = endpoint_->serve(std::move(handler), serve_.token());
    co_await serving;
    served_.set();
  }
  runtime::Scope& scope_;
  std::unique_ptr<Random> random_;
  PeerId id_;
  runtime::CancellationSource run_, serve_;
  std::unique_ptr<net::Endpoint> endpoint_;
  bool serving_ = false;
  runtime::Event served_;
};

struct QuicPair {
  runtime::Executor& executor;
  runtime::Scope& scope;
  QuicHost& server;
  QuicHost& client;

  runtime::Task<std::unique_ptr<net::Link>> link() {
    const runtime::CancellationToken never;
    auto dialing = client.endpoint().dial(server.address(), server.id(), never);
    auto link = co_await dialing;
    INFO((link ? std::string() : link.error().message));
    REQUIRE(link.has_value());
    co_return std::move(*link);
  }
};

struct QuicTest {
  std::function<runtime::Task<void>(QuicPair&)> body;
  net::RequestHandler handler;
  QuicHost::Tune tune_server, tune_client;
};

namespace detail {
inline runtime::Task<void> run_pair(runtime::Executor& executor, std::unique_ptr<net::DatagramSocket> server_socket,
                                    std::unique_ptr<net::DatagramSocket> client_socket, const QuicTest& test) {
  runtime::CancellationSource root;
  runtime::Scope scope(executor, "test", root.token());
  {
    QuicHost server(scope, std::move(server_socket), 1, test.tune_server);
    QuicHost client(scope, std::move(client_socket), 2, test.tune_client);
    if (test.handler) server.serve(test.handler);
    QuicPair pair{executor, scope, server, client};
    std::exception_ptr error;
    try {
      auto body = test.body(pair);
      co_await body;
    } catch (...) {
      error = std::current_exception();
    }
    client.stop_now();
    auto stop = server.stop();
    co_await stop;
    auto join = scope.join();
    co_await join;
    if (error) std::rethrow_exception(error);
  }
}

inline runtime::Task<void> run_uv_pair(runtime::UvExecutor& executor, const QuicTest& test) {
  auto server = net::bind_udp(executor, net::SocketAddress::loopback(0), Log{});
  auto client = net::bind_udp(executor, net::SocketAddress::loopback(0), Log{});
  REQUIRE((server && client));
  return run_pair(executor, std::move(*server), std::move(*client), test);
}
}  // namespace detail

inline net::SocketAddress sim_address(int host) {
  return *net::SocketAddress::parse("10.0.0." + std::to_string(host) + ":24747");
}

/// Runs over a simulated network under virtual time. No task and no timer may be left.
struct SimPair {
  runtime::ManualExecutor executor;
  SimNetwork network;
  explicit SimPair(std::uint64_t seed = 7) : network(executor, seed) {}
  void run(const QuicTest& test) {
    run_task(executor, detail::run_pair(executor, network.bind(sim_address(1)), network.bind(sim_address(2)), test));
    CHECK(executor.idle());
  }
};

/// Runs over the loopback interface.
inline void run_loopback_pair(const QuicTest& test) {
  run_on_uv([&test](runtime::UvExecutor& executor) { return detail::run_uv_pair(executor, test); });
}

inline net::SharedBytes pattern(std::size_t size, std::size_t at = 0) {
  auto bytes = std::make_shared<std::vector<std::uint8_t>>(size);
  for (std::size_t i = 0; i < size; ++i) (*bytes)[i] = static_cast<std::uint8_t>(((at + i) * 2654435761U) >> 24);
  return bytes;
}

/// The value of a query "?NAME=NUMBER" in a path; 0 if there is none.
inline std::size_t number_after(const std::string& path, const std::string& mark) {
  const std::size_t at = path.find(mark);
  return at == std::string::npos ? 0 : std::stoull(path.substr(at + mark.size()));
}

/// Reads and releases a body to its end, and compares it with pattern(). Returns its length.
inline runtime::Task<Result<std::size_t>> read_pattern(net::BodyReader& reader, std::size_t piece) {
  const runtime::CancellationToken never;
  std::vector<std::uint8_t> buffer(piece);
  std::size_t total = 0;
  for (;;) {
    auto reading = reader.read(buffer, never);
    const auto n = co_await reading;
    if (!n) co_return std::unexpected(n.error());
    const net::SharedBytes expected = pattern(*n, total);
    if (!std::equal(expected->begin(), expected->end(), buffer.begin()))
      co_return fail(ErrorCode::internal, "wrong bytes");
    reader.release(*n);
    total += *n;
    if (*n < piece) co_return total;
  }
}

inline runtime::Task<Result<void>> write_pattern(net::BodyWriter& writer, std::size_t size, std::size_t piece,
                                                 runtime::CancellationToken token) {
  for (std::size_t at = 0; at < size; at += piece) {
    auto writing = writer.write(pattern(std::min(piece, size - at), at), token);
    auto written = co_await writing;
    if (!written) co_return written;
  }
  writer.finish();
  co_return Result<void>{};
}

/// "/get?size=N" answers N bytes of pattern(), "/echo" the length of the body. "/throw" throws, "/hang" waits, "/none"
/// answers 404.
inline runtime::Task<void> test_handler(net::ServerStream& stream, runtime::CancellationToken token) {
  const std::string path = stream.request().path;
  net::ResponseHead head;
  if (path.starts_with("/get")) {
    const std::size_t size = number_after(path, "size=");
    head.content_length = size;
    head.fields.push_back({"x-peer", stream.peer() ? stream.peer()->hex() : "none"});
    if (!stream.respond(head, true)) co_return;
    auto writing = write_pattern(stream.writer(), size, 256 << 10, token);
    static_cast<void>(co_await writing);
  } else if (path.starts_with("/echo")) {
    stream.grow_window();
    auto reading = read_pattern(stream.reader(), 256 << 10);
    const auto total = co_await reading;
    if (!total) co_return;
    head.fields.push_back({"x-length", std::to_string(*total)});
    static_cast<void>(stream.respond(head, false));
  } else if (path == "/throw") {
    throw std::runtime_error("a bug");
  } else if (path == "/hang") {
    runtime::Event never;
    co_await never.wait(token);
  } else if (path == "/none") {
    head.status = 404;
    static_cast<void>(stream.respond(head, false));
  }
}

struct Reply {
  net::ResponseHead head;
  std::size_t body = 0;
};

inline runtime::Task<Result<Reply>> get(net::Link& link, std::string path) {
  const runtime::CancellationToken never;
  net::RequestHead head{"GET", std::move(path), {}};
  auto asking = link.request(head, false, never);
  auto stream = co_await asking;
  if (!stream) co_return std::unexpected(stream.error());
  auto responding = (*stream)->response(never);
  auto response = co_await responding;
  if (!response) co_return std::unexpected(response.error());
  auto reading = read_pattern((*stream)->reader(), 256 << 10);
  const auto body = co_await reading;
  if (!body) co_return std::unexpected(body.error());
  Reply reply{std::move(*response), *body};
  co_return reply;
}

}  // namespace peer::test
