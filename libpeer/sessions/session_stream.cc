#include "libpeer/sessions/session_stream.h"

#include <utility>
#include <vector>

#include "libpeer/base/fault.h"
#include "libpeer/protocol/limits.h"
#include "libpeer/protocol/routes.h"
#include "libpeer/runtime/defer.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/sessions/frame_meter.h"

namespace peer::sessions {

namespace {

using Outgoing = runtime::Channel<protocol::SessionMessage>;

struct SessionStream {
  const SessionContext& context;
  SessionId id;
  net::BodyReader& reader;
  net::BodyWriter& writer;
  bool inbound;
  Outgoing outgoing;
  CreditPool unhandled;
  runtime::Event reader_ended;
  Error reason{ErrorCode::unreachable, "the session ended", 0};

  SessionStream(const SessionContext& c, net::BodyReader& r, net::BodyWriter& w, bool i)
      : context(c),
        id(c.next_id->fetch_add(1)),
        reader(r),
        writer(w),
        inbound(i),
        outgoing(c.net->executor(), kOutgoingFrames),
        unhandled(c.net->executor(), kMaxUnhandledFrames) {}
};

/// Reads the next frame's payload, of at most `most` bytes. Nothing at the end of the stream.
runtime::Task<Result<std::optional<std::vector<std::uint8_t>>>> read_frame(net::BodyReader& reader, std::size_t most,
                                                                           runtime::CancellationToken token) {
  std::uint8_t head[4];
  const auto got = co_await reader.read(head, token);
  if (!got) co_return std::unexpected(got.error());
  reader.release(*got);
  if (*got == 0) co_return std::optional<std::vector<std::uint8_t>>();
  const std::size_t length =
      std::size_t{head[0]} << 24 | std::size_t{head[1]} << 16 | std::size_t{head[2]} << 8 | head[3];
  if (*got < sizeof head || length == 0)
    co_return fail(ErrorCode::invalid, "the peer sent a session frame without a payload");
  if (length > most) {
    co_return fail(ErrorCode::invalid, "the peer sent a session frame of " + std::to_string(length) +
                                           " bytes; the limit is " + std::to_string(most) +
                                           (most < protocol::kMaxFrameBytes ? " before Hello" : ""));
  }
  std::vector<std::uint8_t> payload(length);
  const auto body = co_await reader.read(payload, token);
  if (!body) co_return std::unexpected(body.error());
  reader.release(*body);
  if (*body < length) co_return fail(ErrorCode::invalid, "the session's stream ended inside a frame");
  co_return std::optional(std::move(payload));
}

/// Passes a message to the control loop. Waits while too many messages are unhandled there. False: that loop has ended.
runtime::Task<bool> report_message(SessionStream& stream, protocol::SessionMessage message,
                                   runtime::CancellationToken token) {
  SessionReceived received{stream.id, std::move(message)};
  received.credit = co_await stream.unhandled.acquire(token);
  received.total = co_await stream.context.unhandled->acquire(token);
  // The credits bound the number of frames in the inbox, so the channel's own limit does not apply to them.
  co_return stream.context.reports.send_urgent(std::move(received));
}

runtime::Task<void> read_loop(SessionStream& stream, runtime::CancellationToken token) {
  std::size_t most = protocol::kMaxFrameBytesBeforeHello;
  runtime::Executor& executor = stream.context.net->executor();
  FrameMeter meter;
  for (;;) {
    auto frame = co_await read_frame(stream.reader, most, token);
    if (!frame) {
      stream.reason = frame.error();
      co_return;
    }
    if (!*frame) {
      stream.reason = Error{ErrorCode::unreachable, "the peer ended the session", 0};
      co_return;
    }
    // A peer that sends too fast is not read meanwhile, so flow control holds it back.
    const runtime::Duration wait = meter.charge((*frame)->size(), executor.now());
    if (wait > runtime::Duration{}) co_await runtime::sleep_for(executor, wait, token);
    auto message = protocol::decode(**frame);
    if (!message) {
      stream.reason = message.error();
      co_return;
    }
    if (!*message) continue;
    if (std::holds_alternative<protocol::Hello>(**message)) most = protocol::kMaxFrameBytes;
    PEER_FAULT_POINT(stream.inbound ? "accepted session" : "dialled session");
    const bool goodbye = std::holds_alternative<protocol::Goodbye>(**message);
    const bool reported = co_await report_message(stream, std::move(**message), token);
    if (goodbye) stream.reason = Error{ErrorCode::unreachable, "the peer said goodbye", 0};
    if (goodbye || !reported) co_return;
  }
}

runtime::Task<void> read_until_end(SessionStream& stream, runtime::Scope& scope) {
  co_await read_loop(stream, scope.token());
  stream.reader_ended.set();
  scope.request_stop();
}

std::shared_ptr<std::vector<std::uint8_t>> encode_frame(const protocol::SessionMessage& message) {
  const std::string text = protocol::encode(message);
  auto frame = std::make_shared<std::vector<std::uint8_t>>();
  frame->reserve(text.size() + 4);
  for (int shift = 24; shift >= 0; shift -= 8) frame->push_back(static_cast<std::uint8_t>(text.size() >> shift));
  frame->insert(frame->end(), text.begin(), text.end());
  return frame;
}

runtime::Task<void> write_until_end(SessionStream& stream, runtime::Scope& scope) {
  const runtime::CancellationToken token = scope.token();
  for (;;) {
    const std::optional<protocol::SessionMessage> message = co_await stream.outgoing.receive(token);
    if (!message) break;
    const auto frame = encode_frame(*message);
    auto write = [&stream, frame](runtime::CancellationToken t) { return stream.writer.write(frame, std::move(t)); };
    const auto written = co_await runtime::with_timeout(scope.executor(), kWriteWait, std::move(write), token);
    if (!written || !*written) {
      stream.reason = written ? written->error() : Error{ErrorCode::unreachable, "the peer does not read", 0};
      scope.request_stop();
      co_return;
    }
    if (std::holds_alternative<protocol::Goodbye>(*message)) break;
  }
  // The peer answers the end of our stream, or our Goodbye, by ending its own. By then it has read everything.
  stream.writer.finish();
  co_await stream.reader_ended.wait_for(scope.executor(), kGoodbyeWait, token);
  scope.request_stop();
}

/// `dial` is 0 for an inbound session.
runtime::Task<Error> run_session(const SessionContext& context, net::BodyReader& reader, net::BodyWriter& writer,
                                 PeerId peer, net::SocketAddress remote, std::uint64_t dial,
                                 runtime::CancellationToken token) {
  SessionStream stream(context, reader, writer, dial == 0);
  SessionOpened opened{stream.id, peer, stream.inbound, remote, stream.outgoing.sender(), dial};
  context.reports.send_urgent(std::move(opened));
  const runtime::Defer closed([&] { context.reports.send_urgent(SessionClosed{stream.id, stream.reason}); });
  runtime::Scope scope(*context.net, "session " + peer.brief(), token);
  scope.spawn("read", read_until_end(stream, scope));
  scope.spawn("write", write_until_end(stream, scope));
  co_await scope.join();
  co_return stream.reason;
}

}  // namespace

runtime::Task<DialEnd> dial_session(SessionContext context, net::Transport* transport, net::SocketAddress address,
                                    std::optional<PeerId> expected, std::uint64_t dial,
                                    runtime::CancellationToken token) {
  auto dialed = co_await transport->dial(address, expected, token);
  if (!dialed) co_return DialEnd{dialed.error()};
  const std::unique_ptr<net::Link> link = std::move(*dialed);
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
    co_return DialEnd{
        Error{ErrorCode::unreachable, address.to_string() + " did not answer the request for a session", 0}};
  }
  if (!*response) co_return DialEnd{response->error()};
  const int status = (*response)->status;
  if (status == protocol::HttpStatus::forbidden && link->peer()) {
    Error reason{ErrorCode::refused,
                 address.to_string() +
                     " does not admit this peer: it admits only peers of its party, or peers that it has paired",
                 0};
    co_return DialEnd{std::move(reason), link->peer()};
  }
  if (status != protocol::HttpStatus::ok || !link->peer()) {
    const ErrorCode code = status == protocol::HttpStatus::unavailable ? ErrorCode::unreachable : ErrorCode::refused;
    co_return DialEnd{Error{
        code, address.to_string() + " answered the request for a session with HTTP status " + std::to_string(status),
        0}};
  }
  Error reason = co_await run_session(context, stream->reader(), stream->writer(), *link->peer(), address, dial, token);
  // A peer that refuses sends a Refusal. A cancelled request is not a refusal: a session may also end in this way on
  // the other side.
  if (reason.code == ErrorCode::refused) reason.code = ErrorCode::unreachable;
  link->close("session over");
  co_return DialEnd{std::move(reason)};
}

runtime::Task<void> accept_session(SessionContext context, net::ServerStream& stream,
                                   runtime::CancellationToken token) {
  if (!stream.peer()) {
    net::ResponseHead refused;
    refused.status = to_int(protocol::HttpStatus::forbidden);
    static_cast<void>(stream.respond(refused, false));
    co_return;
  }
  if (!stream.respond(net::ResponseHead{}, true)) co_return;
  stream.grow_window();
  co_await run_session(context, stream.reader(), stream.writer(), *stream.peer(), stream.remote_address(), 0, token);
}

}  // namespace peer::sessions
