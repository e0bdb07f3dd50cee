#include "libpeer/control/control_connection.h"

#include "libpeer/base/json_depth.h"
#include "libpeer/runtime/sleep.h"

namespace peer::control {

ControlConnection::ControlConnection(ServerContext context)
    : context_(context), pipe_(context.executor.loop()), subscription_(context.hub, pipe_) {}

runtime::Task<void> ControlConnection::run(std::shared_ptr<ControlConnection> self, const char* refusal,
                                           runtime::CancellationToken token) {
  if (refusal != nullptr) self->answer_fatally(kOwnError, refusal, ErrorCode::busy);
  try {
    co_await self->serve(token);
  } catch (const runtime::Cancelled&) {
  }
  co_await self->finish();
}

runtime::Task<void> ControlConnection::serve(runtime::CancellationToken token) {
  for (;;) {
    pipe_.changed().reset();
    if (!answer_lines()) co_return;
    if (more_) {
      co_await runtime::sleep_for(context_.executor, runtime::Duration::zero(), token);  // lets other connections run
    } else if (pipe_.ended()) {
      // A client that has only ended its output still receives answers and events. libuv does not report when such a
      // client disconnects, so this is checked from time to time.
      if (pipe_.hung_up()) co_return;
      co_await pipe_.changed().wait_for(context_.executor, kLingerTime, token);
    } else {
      co_await pipe_.changed().wait(token);
    }
  }
}

/// Answers the lines of one turn. Returns false when the connection has nothing left to do.
bool ControlConnection::answer_lines() {
  if (pipe_.broken()) return false;
  std::size_t lines = 0;
  while (!fatal_ && !is_busy() && lines < kLinesATurn) {
    const std::optional<std::string> line = pipe_.next_line();
    if (!line) break;
    answer_line(*line);
    ++lines;
  }
  if (!fatal_ && pipe_.line_too_long()) {
    answer_fatally(kInvalidRequest, "a line must have at most " + std::to_string(kMaxLineBytes) + " bytes",
                   ErrorCode::invalid);
  }
  if (fatal_) return false;
  const bool busy = is_busy();
  more_ = lines == kLinesATurn && !busy;
  if (!pipe_.ended() && !busy && !more_) pipe_.read_more();
  return !pipe_.ended() || busy || more_ || outstanding_ > 0 || pipe_.unsent_bytes() > 0 || subscription_.active();
}

void ControlConnection::answer_fatally(int code, std::string message, ErrorCode word) {
  fatal_ = true;
  write_json(make_answer(nullptr, std::unexpected(RpcError{code, std::move(message), word})));
}

/// Replaces the error of a command that was cut short by the stop, or that came too late, with the reason of the stop.
/// A command that failed by itself keeps its error.
RpcResult ControlConnection::with_stop_reason(RpcResult result) const {
  const bool cut_short =
      !result && (result.error().word == ErrorCode::cancelled || result.error().word == ErrorCode::busy);
  if (cut_short && !context_.stop_reason.empty()) {
    result.error().message = context_.stop_reason;
    result.error().stopping = true;
  }
  return result;
}

void ControlConnection::answer_line(const std::string& text) {
  if (json_depth(text) > kMaxDepth) {
    return answer_fatally(kInvalidRequest, "a line must nest at most " + std::to_string(kMaxDepth) + " levels deep",
                          ErrorCode::invalid);
  }
  // The answers of a batch are sent together, when the last one is complete.
  struct PendingAnswers {
    bool batch;
    std::size_t missing;
    Json answers = Json::array();
  };
  const Line line = parse_line(text);
  auto pending = std::make_shared<PendingAnswers>(PendingAnswers{line.batch, line.calls.size()});
  outstanding_ += line.calls.size();
  MethodContext context{context_.send,
                        context_.version,
                        [this](std::optional<std::uint64_t> since, std::vector<std::string> only) {
                          return subscribe(since, std::move(only));
                        },
                        [this] { return unsubscribe(); },
                        [this](std::string_view method, const Json& params) { log_change(method, params); },
                        gone_.token()};
  for (const Call& call : line.calls) {
    auto answer = [weak = weak_from_this(), pending, id = call.id,
                   silent = call.notification](const RpcResult& result) {
      const auto self = weak.lock();
      if (!self || self->over_) return;
      --self->outstanding_;
      --pending->missing;
      if (!silent) pending->answers.push_back(make_answer(id, self->with_stop_reason(result)));
      if (pending->missing == 0 && !pending->answers.empty()) {
        self->write_json(pending->batch ? pending->answers : pending->answers[0]);
      }
      self->pipe_.changed().set();
    };
    dispatch(context, call, std::move(answer));
  }
  subscription_.replay();
}

void ControlConnection::log_change(std::string_view method, const Json& params) const {
  const auto client = pipe_.client_process();
  const std::string who =
      client ? "uid " + std::to_string(client->user) + " (pid " + std::to_string(client->id) + ")" : "an unknown user";
  context_.log.info(describe_call(method, params) + " by " + who);
}

Json ControlConnection::subscribe(std::optional<std::uint64_t> since, std::vector<std::string> only) {
  subscription_.begin(since, std::move(only));
  return {{"seq", context_.hub.last()}, {"oldest", context_.hub.oldest()}};
}

Json ControlConnection::unsubscribe() {
  subscription_.end();
  return {{"seq", context_.hub.last()}};
}

runtime::Task<void> ControlConnection::finish() {
  over_ = true;
  gone_.request();
  subscription_.end();
  pipe_.stop_reading();
  const runtime::CancellationToken none;
  const auto flush = [this](runtime::CancellationToken limited) { return pipe_.flush(std::move(limited)); };
  const bool flushed = co_await runtime::with_timeout(context_.executor, kFlushTime, flush, none);
  if (flushed && fatal_ && !pipe_.broken()) {
    const auto linger = [this](runtime::CancellationToken limited) { return pipe_.linger(std::move(limited)); };
    co_await runtime::with_timeout(context_.executor, kLingerTime, linger, none);
  }
  co_await pipe_.close();
}

}  // namespace peer::control
