#include "libpeer/control/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

#include "libpeer/base/json_depth.h"

namespace peer::control {

Connection::Connection(ServerContext context) : context_(context) {
  uv_pipe_init(context_.executor.loop(), &pipe_, 0);
  pipe_.data = this;
}

bool Connection::accept(uv_stream_t* listener) {
  broken_ = uv_accept(listener, stream()) != 0;
  return !broken_;
}

runtime::Task<void> Connection::run(std::shared_ptr<Connection> self, const char* refusal,
                                    runtime::CancellationToken token) {
  if (refusal != nullptr) self->answer_fatally({kOwnError, refusal, ErrorCode::busy});
  try {
    co_await self->serve(token);
  } catch (const runtime::Cancelled&) {
  }
  co_await self->finish();
}

runtime::Task<void> Connection::serve(runtime::CancellationToken token) {
  for (;;) {
    changed_.reset();
    if (!step()) co_return;
    if (more_) {
      co_await runtime::sleep_for(context_.executor, runtime::Duration::zero(), token);  // the others' turn
    } else if (ended_) {
      if (hung_up()) co_return;
      // A client that has only stopped sending still hears its answers and events; libuv tells no more when it goes for
      // good.
      runtime::Deadline next_look(context_.executor, kLingerTime, token);
      try {
        co_await changed_.wait(next_look.token());
      } catch (const runtime::Cancelled&) {
        if (token.requested()) throw;
      }
    } else {
      co_await changed_.wait(token);
    }
  }
}

// False when the connection has nothing more to do.
bool Connection::step() {
  if (broken_) return false;
  std::string line;
  std::size_t lines = 0;
  const auto is_busy = [this] { return outstanding_ >= kMaxOutstanding || output_bytes_ >= kMaxOutput; };
  while (!fatal_ && !is_busy() && lines < kLinesATurn && take_line(line)) {
    answer_line(line);
    ++lines;
  }
  if (fatal_) return false;
  const bool busy = is_busy();
  more_ = lines == kLinesATurn && !busy;
  if (!ended_ && !busy && !more_) read_more();
  return !ended_ || busy || more_ || outstanding_ > 0 || output_bytes_ > 0 || subscribed_;
}

bool Connection::take_line(std::string& line) {
  const std::size_t end = input_.find('\n', scanned_);
  // At the end of input an unfinished line counts as one.
  const bool rest = end == std::string::npos && ended_ && !input_.empty();
  if (end == std::string::npos && !rest) {
    scanned_ = input_.size();
    if (scanned_ > kMaxLineBytes) answer_too_long();
    return false;
  }
  line = input_.substr(0, end);
  input_.erase(0, rest ? end : end + 1);
  scanned_ = 0;
  if (line.size() > kMaxLineBytes) {
    answer_too_long();
    return false;
  }
  return true;
}

void Connection::answer_fatally(RpcError error) {
  fatal_ = true;
  queue_json(make_answer(nullptr, std::unexpected(std::move(error))));
}

void Connection::answer_too_long() {
  answer_fatally(
      {kInvalidRequest, "a line has at most " + std::to_string(kMaxLineBytes) + " bytes", ErrorCode::invalid});
}

/// A command that the stop cut short, or that came too late, says so; one that failed by itself keeps its error.
RpcResult Connection::explained(RpcResult result) const {
  const bool cut_short =
      !result && (result.error().word == ErrorCode::cancelled || result.error().word == ErrorCode::busy);
  if (cut_short && !context_.stop_reason.empty()) {
    result.error().message = context_.stop_reason;
    result.error().stopping = true;
  }
  return result;
}

void Connection::answer_line(const std::string& text) {
  if (json_depth(text) > kMaxDepth) {
    return answer_fatally(
        {kInvalidRequest, "a line nests at most " + std::to_string(kMaxDepth) + " deep", ErrorCode::invalid});
  }
  // The answers of one line; they go out together when the last is there.
  struct Pending {
    bool batch;
    std::size_t missing;
    Json answers = Json::array();
  };
  const Line line = parse_line(text);
  auto pending = std::make_shared<Pending>(Pending{line.batch, line.calls.size()});
  outstanding_ += line.calls.size();
  MethodContext context{context_.send, context_.version,
                        [this](std::optional<std::uint64_t> since, std::vector<std::string> only) {
                          return subscribe(since, std::move(only));
                        },
                        [this] { return unsubscribe(); }, gone_.token()};
  for (const Call& call : line.calls) {
    auto answer = [weak = weak_from_this(), pending, id = call.id,
                   silent = call.notification](const RpcResult& result) {
      const auto self = weak.lock();
      if (!self || self->over_) return;
      --self->outstanding_;
      --pending->missing;
      if (!silent) pending->answers.push_back(make_answer(id, self->explained(result)));
      if (pending->missing == 0 && !pending->answers.empty()) {
        self->queue_json(pending->batch ? pending->answers : pending->answers[0]);
      }
      self->changed_.set();
    };
    dispatch(context, call, std::move(answer));
  }
  if (replay_) {
    event_limit_ += context_.hub.replayed(*this, *replay_);
    context_.hub.replay(*this, *std::exchange(replay_, std::nullopt));
  }
}

Json Connection::subscribe(std::optional<std::uint64_t> since, std::vector<std::string> only) {
  EventHub& hub = context_.hub;
  hub.subscribe(*this, std::move(only));
  subscribed_ = true;
  event_limit_ = kMaxQueuedEvents + queued_events_;
  replay_ = since;
  return {{"seq", hub.last()}, {"oldest", hub.oldest()}};
}

Json Connection::unsubscribe() {
  context_.hub.unsubscribe(*this);
  subscribed_ = false;
  return {{"seq", context_.hub.last()}};
}

void Connection::on_event(const NumberedEvent& event) {
  if (queued_events_ < event_limit_) return queue(event.line, event.sequence);
  // Too slow. What has not left yet is dropped, so that a reader that sleeps costs no memory; the overflow event tells
  // from where on it can ask again.
  unsubscribe();
  const auto first = std::ranges::find_if(output_, [](const Output& o) { return o.event != 0; });
  const std::uint64_t given = first == output_.end() ? event.sequence - 1 : first->event - 1;
  std::erase_if(output_, [this](const Output& o) {
    if (o.event != 0) output_bytes_ -= o.line->size();
    return o.event != 0;
  });
  queued_events_ = 0;
  queue(context_.hub.overflow_line(given), 0);
}

void Connection::queue(SharedLine line, std::uint64_t event) {
  output_bytes_ += line->size();
  if (event != 0) ++queued_events_;
  output_.push_back({std::move(line), event});
  write_more();
}

void Connection::write_more() {
  static constexpr std::size_t kBuffers = 64;
  if (!writing_.empty() || output_.empty() || broken_) return;
  std::array<uv_buf_t, kBuffers> buffers;
  unsigned count = 0;
  for (; count < kBuffers && !output_.empty(); ++count) {
    Output& next = output_.front();
    if (next.event != 0) --queued_events_;
    buffers[count] = uv_buf_init(const_cast<char*>(next.line->data()), static_cast<unsigned>(next.line->size()));
    writing_.push_back(std::move(next));
    output_.pop_front();
  }
  write_.data = this;
  const int rc = uv_write(&write_, stream(), buffers.data(), count, [](uv_write_t* request, int status) {
    auto* self = static_cast<Connection*>(request->data);
    for (const Output& output : self->writing_) self->output_bytes_ -= output.line->size();
    self->writing_.clear();
    if (status != 0) self->broken_ = true;
    self->write_more();
    self->changed_.set();
  });
  if (rc != 0) {
    writing_.clear();
    broken_ = true;
    changed_.set();
  }
}

void Connection::read_more() {
  if (reading_) return;
  const auto allocate = [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
    auto* self = static_cast<Connection*>(handle->data);
    *buffer = uv_buf_init(self->chunk_.data(), static_cast<unsigned>(self->chunk_.size()));
  };
  // One chunk at a time: step() decides whether there is room for more.
  const auto arrived = [](uv_stream_t* handle, ssize_t count, const uv_buf_t*) {
    auto* self = static_cast<Connection*>(handle->data);
    if (count == 0) return;
    if (count < 0) {
      self->ended_ = true;
      if (count != UV_EOF) self->broken_ = true;
    } else if (!self->fatal_) {
      self->input_.append(self->chunk_.data(), static_cast<std::size_t>(count));
    }
    uv_read_stop(handle);
    self->reading_ = false;
    self->changed_.set();
  };
  if (uv_read_start(stream(), allocate, arrived) == 0) {
    reading_ = true;
  } else {
    broken_ = true;
    changed_.set();
  }
}

bool Connection::hung_up() const {
  pollfd descriptor{};
  if (uv_fileno(reinterpret_cast<const uv_handle_t*>(&pipe_), &descriptor.fd) != 0) return true;
  poll(&descriptor, 1, 0);
  return (descriptor.revents & (POLLHUP | POLLERR)) != 0;
}

runtime::Task<void> Connection::finish() {
  over_ = true;
  gone_.request();
  unsubscribe();
  if (reading_) uv_read_stop(stream());
  reading_ = false;
  try {
    runtime::Deadline flush_time(context_.executor, kFlushTime, runtime::CancellationToken{});
    co_await flush(flush_time.token());
    if (fatal_ && !broken_) {
      runtime::Deadline linger_time(context_.executor, kLingerTime, runtime::CancellationToken{});
      co_await linger(linger_time.token());
    }
  } catch (const runtime::Cancelled&) {
  }
  uv_close(reinterpret_cast<uv_handle_t*>(&pipe_),
           [](uv_handle_t* handle) { static_cast<Connection*>(handle->data)->closed_.set(); });
  co_await closed_.wait(runtime::CancellationToken{});
}

runtime::Task<void> Connection::flush(runtime::CancellationToken token) {
  const auto flushed = [this] { return output_bytes_ == 0 || broken_; };
  co_await changed_.wait_until(flushed, token);
}

// Ends our side first and reads on: a client in the middle of a long line would otherwise fail to write it before it
// has read why it is refused.
runtime::Task<void> Connection::linger(runtime::CancellationToken token) {
  int fd = -1;
  if (uv_fileno(reinterpret_cast<const uv_handle_t*>(&pipe_), &fd) == 0) shutdown(fd, SHUT_WR);
  while (!ended_ && !broken_) {
    changed_.reset();
    read_more();
    co_await changed_.wait(token);
  }
}

}  // namespace peer::control
