// Sends bytes over the loopback interface between two endpoints, each on its own thread, and prints MB/s.
//
//   net_bench [GIGABYTES=4] [DATAGRAM=1452] [STREAMS=4] [SPAN_MIB=8]
//
// The client requests spans as a download does: several requests at a time, read in 1 MiB parts that are released at
// once.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>

#include "libpeer/base/check.h"
#include "libpeer/base/random.h"
#include "libpeer/net/endpoint.h"
#include "libpeer/net/udp_socket.h"
#include "libpeer/runtime/call_on.h"
#include "libpeer/runtime/loop_thread.h"
#include "libpeer/runtime/uv_executor.h"

using namespace peer;

namespace {

struct Plan {
  std::uint64_t bytes;
  std::uint16_t datagram;
  unsigned streams;
  std::uint64_t span;
};

struct Host {
  explicit Host(const char* name, const Plan& plan) : thread(name), random(system_random()) {
    auto identity = net::Identity::generate();
    PEER_CHECK(identity.has_value());
    options.emplace(std::move(*identity), random.get());
    options->largest_datagram = plan.datagram;
  }
  runtime::LoopThread thread;
  std::unique_ptr<Random> random;
  std::optional<net::EndpointOptions> options;
  std::unique_ptr<net::Endpoint> endpoint;
  runtime::CancellationSource stop;
};

runtime::Task<void> supply(const Plan& plan, net::SharedBytes piece, net::ServerStream& stream,
                           runtime::CancellationToken token) {
  net::ResponseHead head;
  head.content_length = plan.span;
  if (!stream.respond(head, true)) co_return;
  for (std::uint64_t at = 0; at < plan.span; at += piece->size()) {
    auto writing = stream.writer().write(piece, token);
    if (!(co_await writing)) co_return;
  }
  stream.writer().finish();
}

runtime::Task<void> consume(net::Link& link, std::uint64_t& left, const Plan& plan, runtime::CancellationToken token) {
  std::vector<std::uint8_t> buffer(1 << 20);
  while (left >= plan.span) {
    left -= plan.span;
    const net::RequestHead head{"GET", "/", {}};
    auto asking = link.request(head, false, token);
    auto stream = co_await asking;
    PEER_CHECK(stream.has_value());
    auto responding = (*stream)->response(token);
    auto response = co_await responding;
    PEER_CHECK(response.has_value());
    for (std::uint64_t at = 0; at < plan.span; at += buffer.size()) {
      auto reading = (*stream)->reader().read(buffer, token);
      const auto n = co_await reading;
      PEER_CHECK(n.has_value() && *n == buffer.size());
      (*stream)->reader().release(*n);
    }
    auto reading = (*stream)->reader().read(buffer, token);
    const auto end = co_await reading;
    PEER_CHECK(end == 0);
  }
}

runtime::Task<void> open(Host& host) {
  auto socket = net::bind_udp(host.thread.uv(), net::SocketAddress::loopback(0), Log{});
  PEER_CHECK(socket.has_value());
  host.endpoint = std::make_unique<net::Endpoint>(host.thread.scope(), std::move(*socket), *host.options);
  host.thread.scope().spawn("run", host.endpoint->run(host.stop.token()));
  co_return;
}

runtime::Task<void> serve(Host& host, const Plan& plan) {
  const auto piece = std::make_shared<const std::vector<std::uint8_t>>(1 << 20, 0x5a);
  net::RequestHandler handler = [&plan, piece](net::ServerStream& stream, runtime::CancellationToken token) {
    return supply(plan, piece, stream, std::move(token));
  };
  host.thread.scope().spawn("serve", host.endpoint->serve(std::move(handler), host.stop.token()));
  co_return;
}

runtime::Task<void> measure(Host& host, net::SocketAddress server, const Plan& plan) {
  const runtime::CancellationToken never;
  auto dialling = host.endpoint->dial(server, std::nullopt, never);
  auto link = co_await dialling;
  PEER_CHECK(link.has_value());
  const auto start = std::chrono::steady_clock::now();
  std::uint64_t left = plan.bytes;
  {
    runtime::Scope scope(host.thread.scope(), "spans");
    for (unsigned i = 0; i < plan.streams; ++i) scope.spawn("span", consume(**link, left, plan, never));
    auto join = scope.join();
    co_await join;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const net::LinkStats stats = (*link)->stats();
  std::printf("%.0f MB/s  (%.2f s, rtt %.3f ms, received %.0f MB)\n", static_cast<double>(plan.bytes) / seconds / 1e6,
              seconds, std::chrono::duration<double, std::milli>(stats.smoothed_rtt).count(),
              static_cast<double>(stats.bytes_in) / 1e6);
}

runtime::Task<void> close(Host& host) {
  host.stop.request();
  co_return;
}

template <class F>
void on(Host& host, F fn) {
  runtime::UvExecutor here;
  const runtime::CancellationToken never;
  auto call = [fn](runtime::CancellationToken) mutable { return fn(); };
  here.run(runtime::call_on(host.thread.scope(), "call", std::move(call), never));
}

void print(const char* who, const Host& host) {
  const net::SocketStats s = host.endpoint->stats().socket;
  std::printf("%s: in %llu out %llu dropped %llu, buffers %u/%u, gso %d gro %d\n", who,
              static_cast<unsigned long long>(s.datagrams_in), static_cast<unsigned long long>(s.datagrams_out),
              static_cast<unsigned long long>(s.dropped_by_kernel), s.receive_buffer, s.send_buffer, s.gso, s.gro);
}

}  // namespace

int main(int argc, char** argv) {
  const auto argument = [&](int i, double otherwise) { return argc > i ? std::atof(argv[i]) : otherwise; };
  Plan plan{};
  plan.span = static_cast<std::uint64_t>(argument(4, 8)) << 20;
  plan.bytes = static_cast<std::uint64_t>(argument(1, 4) * 1e9) / plan.span * plan.span;
  plan.datagram = static_cast<std::uint16_t>(argument(2, 1452));
  plan.streams = static_cast<unsigned>(argument(3, 4));
  Host server("server", plan);
  Host client("client", plan);
  on(server, [&] { return open(server); });
  on(client, [&] { return open(client); });
  on(server, [&] { return serve(server, plan); });
  const net::SocketAddress address = server.endpoint->local_address();
  on(client, [&] { return measure(client, address, plan); });
  print("server", server);
  print("client", client);
  on(client, [&] { return close(client); });
  on(server, [&] { return close(server); });
  client.thread.stop();
  server.thread.stop();
  client.endpoint.reset();
  server.endpoint.reset();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("cpu: user %.2f s, system %.2f s\n",
              static_cast<double>(usage.ru_utime.tv_sec) + static_cast<double>(usage.ru_utime.tv_usec) / 1e6,
              static_cast<double>(usage.ru_stime.tv_sec) + static_cast<double>(usage.ru_stime.tv_usec) / 1e6);
}
