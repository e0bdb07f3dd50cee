#include "libpeer/sessions/session.h"

#include <utility>
#include <vector>

#include "libpeer/base/fault.h"
#include "libpeer/protocol/limits.h"
#include "libpeer/protocol/routes.h"
#include "libpeer/runtime/defer.h"
#include "libpeer/runtime/sleep.h"

namespace peer::sessions {

namespace {

using Outgoing = runtime::Channel<protocol::SessionMessage>;
constexpr runtime::Duration kBehindWait = std::chrono::milliseconds(5);

struct Session {
  const SessionContext& context;
  SessionId id;
  net::BodyReader& reader;
  net::BodyWriter& writer;
  bool inbound;
  Outgoing outgoing;
  std::shared_ptr<std::atomic<std::size_t>> backlog = std::make_shared<std::atomic<std::size_t>>(0);
  runtime::Event reader_ended;
  Error reason{ErrorCode::unreachable, "the session ended", 0};

  Session(const SessionContext& c, net::BodyReader& r, net::BodyWriter& w, bool i)
      : context(c),
        id(c.next_id->fetch_add(1)),
        reader(r),
        writer(w),
        inbound(i),
        outgoing(c.net->executor(), kOutgoingFrames) {}
};

/// The next frame's payload, of `most` bytes or fewer; nothing at the stream's end.
runtime::Task<Result<std::optional<std::vector<std::uint8_t>>>> read_frame(net::BodyReader& reader, std::size_t most,
                                                                           runtime::CancellationToken token) {
  std::uint8_t head[4];
  const auto got = co_await reader.read(head, token);
  if (!got) co_return std::unexpected(got.error());
  reader.release(*got);
  if (*got == 0) co_return std::optional<std::vector<std::uint8_t>>();
  const std::size_t length =
      std::size_t{head[0]} << 24 | std::size_t{head[1]} << 16 | std::size_t{head[2]} << 8 | head[3];
  if (*got < sizeof head || length == 0) co_return fail(ErrorCode::invalid, "a session frame without a payload");
  if (length > most) {
    co_return fail(ErrorCode::invalid, "a session frame of " + std::to_string(length) + " bytes: at most " +
                                           std::to_string(most) + " are allowed" +
                                           (most < protocol::kMaxFrameBytes ? " before Hello" : ""));
  }
  std::vector<std::uint8_t> payload(length);
  const auto body = co_await reader.read(payload, token);
  if (!body) co_return std::unexpected(body.error());
  reader.release(*body);
  if (*body < length) co_return fail(ErrorCode::invalid, "a session frame that was cut off");
  co_return std::optional(std::move(payload));
}

runtime::Task<void> read_loop(Session& session, runtime::CancellationToken token) {
  std::size_t most = protocol::kMaxFrameBytesBeforeHello;
  for (;;) {
    auto frame = co_await read_frame(session.reader, most, token);
    if (!frame) {
      session.reason = frame.error();
      co_return;
    }
    if (!*frame) {
      session.reason = Error{ErrorCode::unreachable, "the other side ended the session", 0};
      co_return;
    }
    auto message = protocol::decode(**frame);
    if (!message) {
      session.reason = message.error();
      co_return;
    }
    if (!*message) continue;
    if (std::holds_alternative<protocol::Hello>(**message)) most = protocol::kMaxFrameBytes;
    PEER_FAULT_POINT(session.inbound ? "accepted session" : "dialled session");
    const bool goodbye = std::holds_alternative<protocol::Goodbye>(**message);
    // A control loop that is behind holds the reading back, and flow control the sender. Each for itself: one who
    // floods does not fill the inbox for all.
    runtime::Executor& executor = session.context.net->executor();
    while (session.backlog->load() >= kMaxBacklog) co_await runtime::sleep_for(executor, kBehindWait, token);
    session.backlog->fetch_add(1);
    while (!session.context.reports.try_send(SessionReceived{session.id, **message})) {
      co_await runtime::sleep_for(executor, kBehindWait, token);
    }
    if (goodbye) {
      session.reason = Error{ErrorCode::unreachable, "the other side said goodbye", 0};
      co_return;
    }
  }
}

runtime::Task<void> read_until_end(Session& session, runtime::Scope& scope) {
  co_await read_loop(session, scope.token());
  session.reader_ended.set();
  scope.request_stop();
}

runtime::Task<void> write_until_end(Session& session, runtime::Scope& scope) {
  const runtime::CancellationToken token = scope.token();
  for (;;) {
    const std::optional<protocol::SessionMessage> message = co_await session.outgoing.receive(token);
    if (!message) break;
    const std::string text = protocol::encode(*message);
    auto frame = std::make_shared<std::vector<std::uint8_t>>();
    frame->reserve(text.size() + 4);
    for (int shift = 24; shift >= 0; shift -= 8) frame->push_back(static_cast<std::uint8_t>(text.size() >> shift));
    frame->insert(frame->end(), text.begin(), text.end());
    auto write = [&session, frame](runtime::CancellationToken t) { return session.writer.write(frame, std::move(t)); };
    const auto written = co_await runtime::with_timeout(scope.executor(), kWriteWait, std::move(write), token);
    if (!written || !*written) {
      session.reason = written ? written->error() : Error{ErrorCode::unreachable, "the other side does not read", 0};
      scope.request_stop();
      co_return;
    }
    if (std::holds_alternative<protocol::Goodbye>(*message)) break;
  }
  // The other side answers the end of our stream, or our Goodbye, with the end of its own: then it has read everything.
  session.writer.finish();
  auto wait = [&session](runtime::CancellationToken t) -> runtime::Task<int> {
    return [](Session& s, runtime::CancellationToken inner) -> runtime::Task<int> {
      co_await s.reader_ended.wait(inner);
      co_return 0;
    }(session, t);
  };
  co_await runtime::with_timeout(scope.executor(), kGoodbyeWait, std::move(wait), token);
  scope.request_stop();
}

/// `dial` is 0 for an inbound one.
runtime::Task<Error> run_session(const SessionContext& context, net::BodyReader& reader, net::BodyWriter& writer,
                                 PeerId peer, net::SocketAddress remote, std::uint64_t dial,
                                 runtime::CancellationToken token) {
  Session session(context, reader, writer, dial == 0);
  SessionOpened opened{session.id, peer, session.inbound, remote, session.outgoing.sender(), dial, session.backlog};
  context.reports.send_urgent(std::move(opened));
  const runtime::Defer closed([&] { context.reports.send_urgent(SessionClosed{session.id, session.reason}); });
  runtime::Scope scope(*context.net, "session " + peer.brief(), token);
  scope.spawn("read", read_until_end(session, scope));
  scope.spawn("write", write_until_end(session, scope));
  co_await scope.join();
  co_return session.reason;
}

}  // namespace

runtime::Task<DialEnd> dial_session(SessionContext context, net::Transport* transport, net::SocketAddress address,
                                    std::optional<PeerId> expected, std::uint64_t dial,
                                    runtime::CancellationToken token) {
  auto dialled = co_await transport->dial(address, expected, token);
  if (!dialled) co_return DialEnd{dialled.error()};
  const std::unique_ptr<net::Link> link = std::move(*dialled);
  if (context.gate != nullptr) {
    const Result<void> entered = co_await context.gate->enter(*link, token);
    if (!entered) {
      const bool denied = entered.error().code == ErrorCode::refused;
      co_return DialEnd{entered.error(), denied ? link->peer() : std::nullopt};
    }
  }
  net::RequestHead head;
  head.method = "POST";
  head.path = protocol::format_route(protocol::SessionRoute{});
  auto opened = co_await link->request(head, true, token);
  if (!opened) co_return DialEnd{opened.error()};
  const std::unique_ptr<net::ClientStream> stream = std::move(*opened);
  auto answer = [&stream](runtime::CancellationToken t) { return stream->response(std::move(t)); };
  const auto response = co_await runtime::with_timeout(context.net->executor(), kAnswerWait, std::move(answer), token);
  if (!response) {
    co_return DialEnd{Error{ErrorCode::unreachable, address.to_string() + " does not answer to a session", 0}};
  }
  if (!*response) co_return DialEnd{response->error()};
  const int status = (*response)->status;
  if (status == 403 && link->peer()) {
    Error reason{ErrorCode::refused,
                 address.to_string() +
                     " does not let this peer in: it deals only with peers of "
                     "its party, or with those it has paired",
                 0};
    co_return DialEnd{std::move(reason), link->peer()};
  }
  if (status != 200 || !link->peer()) {
    const ErrorCode code = status == 503 ? ErrorCode::unreachable : ErrorCode::refused;
    co_return DialEnd{Error{code, address.to_string() + " answered " + std::to_string(status) + " to a session", 0}};
  }
  Error reason = co_await run_session(context, stream->reader(), stream->writer(), *link->peer(), address, dial, token);
  // Who refuses says so in a Refusal. A request that is given up is how any session on the other side may end.
  if (reason.code == ErrorCode::refused) reason.code = ErrorCode::unreachable;
  link->close("session over");
  co_return DialEnd{std::move(reason)};
}

runtime::Task<void> accept_session(SessionContext context, net::ServerStream& stream,
                                   runtime::CancellationToken token) {
  if (!stream.peer()) {
    net::ResponseHead refused;
    refused.status = 403;
    static_cast<void>(stream.respond(refused, false));
    co_return;
  }
  if (!stream.respond(net::ResponseHead{}, true)) co_return;
  co_await run_session(context, stream.reader(), stream.writer(), *stream.peer(), stream.remote_address(), 0, token);
}

}  // namespace peer::sessions
