#include "libpeer/node/net_loop_state.h"

#include <utility>

#include "libpeer/base/fault.h"
#include "libpeer/protocol/routes.h"

namespace peer::node {

namespace {
/// Rejected sessions and proofs that are reported to the control loop: in a burst, and per second.
constexpr double kDenials = 16;
constexpr double kDenialsPerSecond = 4;
}  // namespace

NetLoopState::NetLoopState(runtime::Executor& executor, std::unique_ptr<api::Network> network, access::Access access,
                           const PeerId& self, store::Disk& disk, runtime::Workers& workers, Log log)
    : executor_(executor),
      network_(std::move(network)),
      gate_(executor, std::move(access), self),
      transport_(network_->transport(), gate_),
      up_(executor),
      down_(executor),
      seeder_(executor, disk, workers, log.named("seeder")) {
  seeder_.set_limit(&up_);
  seeder_.set_still_served(
      [this](const net::ServerStream& stream) { return gate_.admits(stream) && !is_banned(stream); });
}

runtime::Task<void> NetLoopState::serve(sessions::SessionContext sessions, runtime::CancellationToken token) {
  net::RequestHandler handler = [this, sessions](net::ServerStream& stream, runtime::CancellationToken t) {
    return handle(sessions, stream, std::move(t));
  };
  co_await network_->transport().serve(std::move(handler), token);
}

runtime::Task<void> NetLoopState::handle(sessions::SessionContext sessions, net::ServerStream& stream,
                                         runtime::CancellationToken token) {
  if (!accepting_) {
    net::ResponseHead busy;
    busy.status = to_int(protocol::HttpStatus::unavailable);
    static_cast<void>(stream.respond(busy, false));
    co_return;
  }
  if (!gate_.admits(stream)) {
    co_await turn_away(sessions, stream, token);
    co_return;
  }
  const net::RequestHead& head = stream.request();
  const auto route = protocol::parse_route(head.method, head.path);
  if (!route) {
    co_await seeder_.refuse(stream, route.error(), token);
  } else if (std::holds_alternative<protocol::ProofRoute>(*route)) {
    if (gate_.serve_proof(stream)) co_return;
    Error error(ErrorCode::refused, "this peer is not in party mode", 0);
    co_await seeder_.forbid(stream, std::move(error), token);
  } else if (std::holds_alternative<protocol::SessionRoute>(*route)) {
    co_await accept_session(sessions, stream, token);
  } else if (is_banned(stream)) {
    Error error(ErrorCode::refused, "this peer is banned here", 0);
    co_await seeder_.forbid(stream, std::move(error), token);
  } else {
    PEER_FAULT_POINT("request");
    co_await seeder_.serve(stream, *route, token);
  }
}

/// Gives the same answer to everything except a correct proof, without looking anything up.
runtime::Task<void> NetLoopState::turn_away(const sessions::SessionContext& sessions, net::ServerStream& stream,
                                            runtime::CancellationToken token) {
  const net::RequestHead& head = stream.request();
  const auto is = [&head](const protocol::Route& route) {
    return head.method == "POST" && head.path == protocol::format_route(route);
  };
  const bool proof = is(protocol::ProofRoute{});
  if (proof && gate_.serve_proof(stream)) co_return;
  if (stream.peer() && (proof || is(protocol::SessionRoute{}))) {
    // The report may be dropped: under load the control loop does not need every one.
    if (denials_.try_consume(executor_.now(), kDenials, kDenialsPerSecond))
      static_cast<void>(sessions.reports.try_send(sessions::SessionDenied{0, *stream.peer(), stream.remote_address()}));
  }
  Error error(ErrorCode::refused, "this peer accepts only peers that it knows", 0);
  co_await seeder_.forbid(stream, std::move(error), token);
}

}  // namespace peer::node
