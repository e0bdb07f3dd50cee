#include "libpeer/control/control_pipe.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

#include "libpeer/control/rpc.h"

namespace peer::control {

ControlPipe::ControlPipe(uv_loop_t* loop) : lines_(kMaxLineBytes) {
  uv_pipe_init(loop, &pipe_, 0);
  pipe_.data = this;
}

bool ControlPipe::accept(uv_stream_t* listener) {
  broken_ = uv_accept(listener, stream()) != 0;
  return !broken_;
}

std::optional<ControlPipe::ClientProcess> ControlPipe::client_process() const {
  uv_os_fd_t fd = -1;
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (uv_fileno(reinterpret_cast<const uv_handle_t*>(&pipe_), &fd) != 0) return std::nullopt;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return std::nullopt;
  return ClientProcess{credentials.uid, credentials.pid};
}

void ControlPipe::read_more() {
  if (reading_) return;
  const auto allocate = [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
    auto* self = static_cast<ControlPipe*>(handle->data);
    *buffer = uv_buf_init(self->chunk_.data(), static_cast<unsigned>(self->chunk_.size()));
  };
  const auto arrived = [](uv_stream_t* handle, ssize_t count, const uv_buf_t*) {
    auto* self = static_cast<ControlPipe*>(handle->data);
    if (count == 0) return;
    if (count < 0) {
      self->ended_ = true;
      if (count != UV_EOF) self->broken_ = true;
    } else if (!self->discards_) {
      self->lines_.append({self->chunk_.data(), static_cast<std::size_t>(count)});
    }
    self->stop_reading();
    self->changed_.set();
  };
  if (uv_read_start(stream(), allocate, arrived) == 0) {
    reading_ = true;
  } else {
    fail();
  }
}

void ControlPipe::stop_reading() {
  if (reading_) uv_read_stop(stream());
  reading_ = false;
}

void ControlPipe::write(SharedLine line, std::uint64_t event) {
  unsent_bytes_ += line->size();
  if (event != 0) ++unsent_events_;
  unsent_.push_back({std::move(line), event});
  write_more();
}

void ControlPipe::write_more() {
  static constexpr std::size_t kBuffers = 64;
  if (!writing_.empty() || unsent_.empty() || broken_) return;
  std::array<uv_buf_t, kBuffers> buffers;
  unsigned count = 0;
  for (; count < kBuffers && !unsent_.empty(); ++count) {
    UnsentLine& next = unsent_.front();
    if (next.event != 0) --unsent_events_;
    buffers[count] = uv_buf_init(const_cast<char*>(next.line->data()), static_cast<unsigned>(next.line->size()));
    writing_.push_back(std::move(next));
    unsent_.pop_front();
  }
  request_.data = this;
  const int rc = uv_write(&request_, stream(), buffers.data(), count, [](uv_write_t* request, int status) {
    auto* self = static_cast<ControlPipe*>(request->data);
    for (const UnsentLine& written : self->writing_) self->unsent_bytes_ -= written.line->size();
    self->writing_.clear();
    if (status != 0) self->broken_ = true;
    self->write_more();
    self->changed_.set();
  });
  if (rc != 0) {
    writing_.clear();
    fail();
  }
}

std::optional<std::uint64_t> ControlPipe::drop_unsent_events() {
  const auto is_event = [](const UnsentLine& line) { return line.event != 0; };
  const auto first = std::ranges::find_if(unsent_, is_event);
  if (first == unsent_.end()) return std::nullopt;
  const std::uint64_t number = first->event;
  for (const UnsentLine& line : unsent_) {
    if (is_event(line)) unsent_bytes_ -= line.line->size();
  }
  std::erase_if(unsent_, is_event);
  unsent_events_ = 0;
  return number;
}

void ControlPipe::fail() {
  broken_ = true;
  changed_.set();
}

bool ControlPipe::hung_up() const {
  pollfd descriptor{};
  if (uv_fileno(reinterpret_cast<const uv_handle_t*>(&pipe_), &descriptor.fd) != 0) return true;
  poll(&descriptor, 1, 0);
  return (descriptor.revents & (POLLHUP | POLLERR)) != 0;
}

runtime::Task<void> ControlPipe::flush(runtime::CancellationToken token) {
  const auto flushed = [this] { return unsent_bytes_ == 0 || broken_; };
  co_await changed_.wait_until(flushed, token);
}

runtime::Task<void> ControlPipe::linger(runtime::CancellationToken token) {
  discards_ = true;
  int fd = -1;
  if (uv_fileno(reinterpret_cast<const uv_handle_t*>(&pipe_), &fd) == 0) shutdown(fd, SHUT_WR);
  while (!ended_ && !broken_) {
    changed_.reset();
    read_more();
    co_await changed_.wait(token);
  }
}

runtime::Task<void> ControlPipe::close() {
  stop_reading();
  uv_close(reinterpret_cast<uv_handle_t*>(&pipe_),
           [](uv_handle_t* handle) { static_cast<ControlPipe*>(handle->data)->closed_.set(); });
  co_await closed_.wait(runtime::CancellationToken{});
}

}  // namespace peer::control
