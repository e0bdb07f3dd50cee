#include "libpeer/sessions/session_stream.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "libpeer/base/fault.h"
#include "libpeer/protocol/limits.h"
#include "libpeer/protocol/routes.h"
#include "libpeer/runtime/defer.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/sessions/frame_reader.h"

namespace peer::sessions {

namespace {

using Outgoing = runtime::Channel<protocol::SessionMessage>;

struct SessionStream {
  const SessionContext& context;
  SessionId id;
  FrameReader frames;
  net::BodyWriter& writer;
  bool inbound;
  FrameMeter meter;
  FrameMeter* account_meter;  ///< null: a session that this peer dialed
  Outgoing outgoing;
  CreditPool unhandled;
  runtime::Event reader_ended;
  Error reason{ErrorCode::unreachable, "the session ended", 0};

  SessionStream(const SessionContext& c, net::BodyReader& r, net::BodyWriter& w, const net::SocketAddress& remote,
                FrameMeter* account)
      : context(c),
        id(c.next_id->fetch_add(1)),
        frames(c.net->executor(), r, *c.memory, account_of(remote)),
        writer(w),
        inbound(account != nullptr),
        account_meter(account),
        outgoing(c.net->executor(), kOutgoingFrames),
        unhandled(c.net->executor(), kMaxUnhandledFrames) {}
};

/// Passes a message to the control loop. Waits while too many messages are unhandled there. False: that loop has ended.
runtime::Task<bool> report_message(SessionStream& stream, protocol::SessionMessage message, FrameBytes charged,
                                   runtime::CancellationToken token) {
  SessionReceived received{stream.id, std::move(message)};
  received.charged = std::move(charged);
  received.credit = co_await stream.unhandled.acquire(token);
  received.total = co_await stream.context.unhandled->acquire(token);
  // The credits bound the number of frames in the inbox, so the channel's own limit does not apply to them.
  co_return stream.context.reports.send_urgent(std::move(received));
}

/// Large frames are decoded on a worker, so that no peer can occupy the network loop. Their order stays, because the
/// next frame is read only afterwards.
runtime::Task<Result<std::optional<protocol::SessionMessage>>> decode_frame(SessionStream& stream,
                                                                            std::vector<std::uint8_t> payload,
                                                                            runtime::CancellationToken token) {
  runtime::Workers* const workers = stream.context.workers;
  if (workers == nullptr || payload.size() <= protocol::kMaxFrameBytesOnLoop) co_return protocol::decode(payload);
  auto job = [payload = std::move(payload)](const runtime::StopFlag&) { return protocol::decode(payload); };
  co_return co_await runtime::offload(*workers, std::move(job), std::move(token));
}

/// A peer that sends too fast is not read meanwhile, so flow control holds it back.
runtime::Duration metered_wait(SessionStream& stream, std::size_t bytes) {
  const runtime::TimePoint now = stream.context.net->executor().now();
  const runtime::Duration own = stream.meter.charge(bytes, now);
  return stream.account_meter == nullptr ? own : std::max(own, stream.account_meter->charge(bytes, now));
}

enum class FrameRead { hello, other, end };

/// Reads one frame and reports its message. `hello` ends only the wait for the frame; null: no deadline.
runtime::Task<FrameRead> receive_frame(SessionStream& stream, std::size_t most, const runtime::Deadline* hello,
                                       runtime::CancellationToken token) {
  runtime::CancellationToken arrival = hello != nullptr ? hello->token() : token;
  auto frame = co_await stream.frames.read(most, std::move(arrival));
  if (!frame) {
    stream.reason = frame.error();
    co_return FrameRead::end;
  }
  if (!*frame) {
    stream.reason = Error{ErrorCode::unreachable, "the peer ended the session", 0};
    co_return FrameRead::end;
  }
  const runtime::Duration wait = metered_wait(stream, (*frame)->payload.size());
  if (wait > runtime::Duration{}) co_await runtime::sleep_for(stream.context.net->executor(), wait, token);
  auto message = co_await decode_frame(stream, std::move((*frame)->payload), token);
  if (!message) {
    stream.reason = message.error();
    co_return FrameRead::end;
  }
  if (!*message) co_return FrameRead::other;
  PEER_FAULT_POINT(stream.inbound ? "accepted session" : "dialled session");
  const bool is_hello = std::holds_alternative<protocol::Hello>(**message);
  const bool goodbye = std::holds_alternative<protocol::Goodbye>(**message);
  const bool reported = co_await report_message(stream, std::move(**message), std::move((*frame)->charged), token);
  if (goodbye) stream.reason = Error{ErrorCode::unreachable, "the peer said goodbye", 0};
  if (goodbye || !reported) co_return FrameRead::end;
  co_return is_hello ? FrameRead::hello : FrameRead::other;
}

/// False: the session is over.
runtime::Task<bool> read_until_hello(SessionStream& stream, runtime::CancellationToken token) {
  runtime::Deadline hello(stream.context.net->executor(), kHelloWait, token);
  auto last = FrameRead::other;
  try {
    while (last == FrameRead::other)
      last = co_await receive_frame(stream, protocol::kMaxFrameBytesBeforeHello, &hello, token);
  } catch (const runtime::Cancelled&) {
    if (token.requested() || !hello.expired()) throw;
    stream.reason = Error{ErrorCode::unreachable, "the peer sent no Hello within 5 s", 0};
    co_return false;
  }
  co_return last == FrameRead::hello;
}

runtime::Task<void> read_loop(SessionStream& stream, runtime::CancellationToken token) {
  auto more = co_await read_until_hello(stream, token);
  while (more) more = co_await receive_frame(stream, protocol::kMaxFrameBytes, nullptr, token) != FrameRead::end;
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

/// For an inbound session, `dial` is 0 and `account` is the meter of the peer's account.
runtime::Task<Error> run_session(const SessionContext& context, net::BodyReader& reader, net::BodyWriter& writer,
                                 PeerId peer, net::SocketAddress remote, std::uint64_t dial, FrameMeter* account,
                                 runtime::CancellationToken token) {
  SessionStream stream(context, reader, writer, remote, account);
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
  Error reason =
      co_await run_session(context, stream->reader(), stream->writer(), *link->peer(), address, dial, nullptr, token);
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
  const Result<SessionSlot> slot = context.slots->open(*stream.peer(), stream.remote_address());
  if (!slot) {
    net::ResponseHead busy;
    busy.status = to_int(protocol::HttpStatus::unavailable);
    static_cast<void>(stream.respond(busy, false));
    co_return;
  }
  if (!stream.respond(net::ResponseHead{}, true)) co_return;
  stream.grow_window();
  co_await run_session(context, stream.reader(), stream.writer(), *stream.peer(), stream.remote_address(), 0,
                       slot->meter(), token);
}

}  // namespace peer::sessions
