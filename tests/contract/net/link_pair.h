// LinkPair: a client's and a server's Transport, over HTTP/3 on a simulated network or in memory, for the contract of
// Link.
#pragma once

#include <catch2/catch_test_macros.hpp>

#include "support/net/memory_network.h"
#include "unit/net/quic_pair.h"

namespace peer::test {

using namespace std::chrono_literals;

inline const runtime::CancellationToken kNever;

struct LinkPair {
  runtime::Executor& executor;
  runtime::Scope& scope;
  net::Transport& server;
  net::Transport& client;
  PeerId server_id, client_id;
  std::function<runtime::Task<void>()> stop_serving;

  runtime::Task<std::unique_ptr<net::Link>> link() {
    auto dialing = client.dial(server.local_address(), server_id, kNever);
    auto link = co_await dialing;
    INFO((link ? std::string() : link.error().message));
    REQUIRE(link.has_value());
    co_return std::move(*link);
  }
};
using LinkScenario = std::function<runtime::Task<void>(LinkPair&)>;

inline runtime::Task<void> over_quic(const LinkScenario& body, QuicPair& quic) {
  LinkPair pair{quic.executor,
                quic.scope,
                quic.server.endpoint(),
                quic.client.endpoint(),
                quic.server.id(),
                quic.client.id(),
                [&quic] { return quic.server.served(); }};
  co_await body(pair);
}

inline runtime::Task<void> serve_until(net::Transport& transport, net::RequestHandler handler, runtime::Event& over,
                                       runtime::CancellationToken token) {
  co_await transport.serve(std::move(handler), token);
  over.set();
}

inline runtime::Task<void> stop_and_wait(runtime::CancellationSource& stop, runtime::Event& over) {
  stop.request();
  co_await over.wait(kNever);
}

inline runtime::Task<void> in_memory(runtime::ManualExecutor& executor, const LinkScenario& body,
                                     net::RequestHandler handler) {
  runtime::Scope scope(executor, "test", kNever);
  MemoryNetwork network(executor);
  PeerId server_id, client_id;
  server_id.bytes.fill(1);
  client_id.bytes.fill(2);
  const auto server = network.attach(scope, sim_address(1), server_id);
  const auto client = network.attach(scope, sim_address(2), client_id);
  runtime::CancellationSource serving, running;
  runtime::Event served;
  scope.spawn("server", server->run(running.token()));
  scope.spawn("client", client->run(running.token()));
  if (handler) {
    scope.spawn("serve", serve_until(*server, std::move(handler), served, serving.token()));
  } else {
    served.set();
  }
  LinkPair pair{executor, scope, *server, *client, server_id, client_id, [&serving, &served] {
                  return stop_and_wait(serving, served);
                }};
  std::exception_ptr error;
  try {
    co_await body(pair);
  } catch (...) {
    error = std::current_exception();
  }
  co_await stop_and_wait(serving, served);
  running.request();
  co_await scope.join();
  CHECK(network.stats().links_alive == 0);
  if (error) std::rethrow_exception(error);
}

/// Runs the scenario over both implementations.
inline void check_both(const LinkScenario& body, const net::RequestHandler& handler) {
  SECTION("HTTP/3") {
    SimPair().run({[&body](QuicPair& quic) { return over_quic(body, quic); }, handler});
  }
  SECTION("in memory") {
    runtime::ManualExecutor executor;
    run_task(executor, in_memory(executor, body, handler));
  }
}

}  // namespace peer::test
