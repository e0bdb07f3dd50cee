// F6: a peer with a low id that lists a game and never answers a request for it.
#include <chrono>
#include <memory>
#include <thread>

#include "hostile/attack.h"
#include "libpeer/net/endpoint.h"
#include "libpeer/net/udp_socket.h"
#include "libpeer/protocol/messages.h"
#include "libpeer/runtime/call_on.h"
#include "libpeer/runtime/loop_thread.h"
#include "libpeer/runtime/sleep.h"

namespace peer::hostile {

namespace {

struct Lure {
  Lure(const AttackOptions& o, net::Identity i, Random& r) : options(o), identity(std::move(i)), thread("lure") {
    endpoint_options.emplace(identity, &r);
  }
  const AttackOptions& options;
  net::Identity identity;
  runtime::LoopThread thread;
  std::optional<net::EndpointOptions> endpoint_options;
  std::unique_ptr<net::Endpoint> endpoint;
  runtime::CancellationSource stop;
  std::size_t asked = 0;
};

runtime::Task<void> ignore(Lure& lure, net::ServerStream& stream, runtime::CancellationToken token) {
  ++lure.asked;
  if (stream.request().path == "/v1/session") {
    stream.respond({403, {}, std::nullopt}, false);
    co_return;
  }
  co_await runtime::sleep_for(lure.thread.executor(), std::chrono::hours(1), token);
}

net::SharedBytes frame(const protocol::SessionMessage& message) {
  const std::string text = session_frame(protocol::encode(message));
  return std::make_shared<const Bytes>(text.begin(), text.end());
}

std::vector<protocol::GameSummary> offer(const AttackOptions& options) {
  protocol::GameSummary game;
  game.id = options.game;
  if (const auto version = Digest::from_hex(options.version)) game.version = *version;
  game.size = options.size;
  game.files = 1;
  return {game};
}

runtime::Task<void> hold_session(Lure& lure, runtime::CancellationToken token) {
  auto dialing = lure.endpoint->dial(lure.options.target, std::nullopt, token);
  auto link = co_await dialing;
  if (!link) co_return;
  const net::RequestHead head{"POST", "/v1/session", {}};
  auto requesting = (*link)->request(head, true, token);
  auto stream = co_await requesting;
  if (!stream) co_return;
  const auto games = offer(lure.options);
  protocol::Hello hello;
  hello.id = lure.identity.id();
  hello.name = "lure";
  hello.instance = "1";
  hello.addresses = {lure.endpoint->local_address().to_string()};
  hello.revision = 1;
  hello.digest = protocol::library_digest(games);
  protocol::LibraryUpdate update;
  update.revision = 1;
  update.digest = hello.digest;
  update.games = games;
  for (const auto& bytes : {frame(hello), frame(update)}) {
    auto writing = (*stream)->writer().write(bytes, token);
    if (!(co_await writing)) co_return;
  }
  for (std::uint64_t nonce = 1;; ++nonce) {
    co_await runtime::sleep_for(lure.thread.executor(), std::chrono::milliseconds(200), token);
    const auto ping = frame(protocol::Ping{nonce});
    auto writing = (*stream)->writer().write(ping, token);
    if (!(co_await writing)) co_return;
  }
}

/// Ends when the attack ends: the token stops whatever it waits for.
runtime::Task<void> keep_session(Lure& lure, runtime::CancellationToken token) {
  try {
    for (;;) {
      co_await hold_session(lure, token);
      co_await runtime::sleep_for(lure.thread.executor(), std::chrono::milliseconds(500), token);
    }
  } catch (const runtime::Cancelled&) {
  }
}

runtime::Task<void> begin(Lure& lure) {
  auto socket = net::bind_udp(lure.thread.uv(), net::SocketAddress::loopback(0), Log{});
  if (!socket) co_return;
  lure.endpoint = std::make_unique<net::Endpoint>(lure.thread.scope(), std::move(*socket), *lure.endpoint_options);
  lure.thread.scope().spawn("run", lure.endpoint->run(lure.stop.token()));
  net::RequestHandler handler = [&lure](net::ServerStream& stream, runtime::CancellationToken token) {
    return ignore(lure, stream, std::move(token));
  };
  lure.thread.scope().spawn("serve", lure.endpoint->serve(std::move(handler), lure.stop.token()));
  lure.thread.scope().spawn("session", keep_session(lure, lure.stop.token()));
}

runtime::Task<void> end(Lure& lure) {
  lure.stop.request();
  co_return;
}

template <class F>
void on(Lure& lure, F fn) {
  runtime::UvExecutor here;
  const runtime::CancellationToken never;
  auto call = [fn](runtime::CancellationToken) mutable { return fn(); };
  here.run(runtime::call_on(lure.thread.scope(), "call", std::move(call), never));
}

}  // namespace

std::size_t lure_downloads(const AttackOptions& options, Random& random) {
  auto identity = net::Identity::generate();
  while (identity && identity->id().bytes[0] != 0) identity = net::Identity::generate();
  if (!identity) return 0;
  Lure lure(options, std::move(*identity), random);
  on(lure, [&] { return begin(lure); });
  std::this_thread::sleep_for(std::chrono::duration<double>(options.seconds));
  on(lure, [&] { return end(lure); });
  lure.thread.stop();
  lure.endpoint.reset();
  return lure.asked;
}

}  // namespace peer::hostile
