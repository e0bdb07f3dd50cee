#include "libpeer/control/server.h"

#include <uv.h>

#include <optional>
#include <variant>

#include "libpeer/control/client_events.h"
#include "libpeer/control/client_presence.h"
#include "libpeer/control/control_connection.h"
#include "libpeer/control/events.h"
#include "libpeer/control/socket.h"

namespace peer::control {
namespace {

/// Clients that are being refused at a time; others wait in the socket's queue.
constexpr std::size_t kMaxRefusals = 16;

}  // namespace

struct ControlServer::Impl {
  Impl(runtime::UvExecutor& e, runtime::Scope& parent, ControlOptions o)
      : executor(e),
        options(std::move(o)),
        hub(options.wall_clock, options.log),
        connections(parent, "control connections") {}

  runtime::UvExecutor& executor;
  ControlOptions options;
  EventHub hub;
  SendCommand send;
  std::string stop_reason;  ///< empty while the peer runs
  runtime::Scope connections;
  std::optional<ListeningSocket> socket;
  std::optional<PresenceLock> presence;  ///< of an adopted socket
  uv_pipe_t listener{};
  runtime::Event closed;
  std::size_t clients = 0;
  std::size_t refusals = 0;
  bool waiting = false;  ///< a client waits in the socket's queue
  bool opened = false;
  bool accepting = false;

  void on_client();
  void stop_accepting();
  static runtime::Task<void> serve(Impl* self, std::shared_ptr<ControlConnection> connection,
                                   runtime::CancellationToken token);
  static runtime::Task<void> refuse(Impl* self, std::shared_ptr<ControlConnection> connection,
                                    runtime::CancellationToken token);
};

void ControlServer::Impl::on_client() {
  if (!accepting) return;
  if (clients >= kMaxClients && refusals >= kMaxRefusals) {
    waiting = true;
    return;
  }
  auto connection = std::make_shared<ControlConnection>(
      ServerContext{executor, hub, send, options.version, stop_reason, options.log});
  connection->accept(reinterpret_cast<uv_stream_t*>(&listener));
  if (clients < kMaxClients) {
    ++clients;
    connections.spawn("control client", serve(this, std::move(connection), connections.token()));
  } else {
    options.log.warn("control client refused: " + std::to_string(kMaxClients) + " clients are connected");
    ++refusals;
    connections.spawn("refused client", refuse(this, std::move(connection), connections.token()));
  }
}

runtime::Task<void> ControlServer::Impl::serve(Impl* self, std::shared_ptr<ControlConnection> connection,
                                               runtime::CancellationToken token) {
  co_await ControlConnection::run(std::move(connection), nullptr, token);
  --self->clients;
  if (std::exchange(self->waiting, false) && !token.requested()) self->on_client();
}

runtime::Task<void> ControlServer::Impl::refuse(Impl* self, std::shared_ptr<ControlConnection> connection,
                                                runtime::CancellationToken token) {
  co_await ControlConnection::run(std::move(connection), "too many clients: at most 64 can be connected", token);
  --self->refusals;
  if (std::exchange(self->waiting, false) && !token.requested()) self->on_client();
}

void ControlServer::Impl::stop_accepting() {
  if (!std::exchange(accepting, false)) return;
  // Before any client is notified of the stop, so that no client that checks the presence connects again.
  presence.reset();
  uv_close(reinterpret_cast<uv_handle_t*>(&listener),
           [](uv_handle_t* handle) { static_cast<Impl*>(handle->data)->closed.set(); });
}

ControlServer::ControlServer(runtime::UvExecutor& executor, runtime::Scope& scope, ControlOptions options)
    : impl_(std::make_unique<Impl>(executor, scope, std::move(options))) {}

ControlServer::~ControlServer() = default;

NumberedEvent ControlServer::publish(const api::Event& event) {
  if (const auto* failed = std::get_if<api::RuntimeFailed>(&event)) {
    impl_->stop_reason = stop_reason(failed->component, failed->error);
  } else if (std::holds_alternative<api::ShuttingDown>(event) && impl_->stop_reason.empty()) {
    impl_->stop_reason = kStopped;
  }
  if (!impl_->stop_reason.empty() && impl_->options.adopted >= 0) impl_->stop_accepting();
  return impl_->hub.publish(event);
}

Result<void> ControlServer::open(SendCommand send) {
  Impl& self = *impl_;
  int fd = self.options.adopted;
  if (fd < 0) {
    auto socket = ListeningSocket::open(self.options.socket_path);
    if (!socket) return std::unexpected(socket.error());
    fd = self.socket.emplace(std::move(*socket)).release();
    // A file left by a daemon that systemd started would report this daemon as stopped.
    PresenceLock::withdraw(self.options.socket_path);
  }
  self.send = std::move(send);
  PEER_CHECK(uv_pipe_init(self.executor.loop(), &self.listener, 0) == 0);
  self.listener.data = &self;
  PEER_CHECK(uv_pipe_open(&self.listener, fd) == 0);
  PEER_CHECK(uv_listen(reinterpret_cast<uv_stream_t*>(&self.listener), 64, [](uv_stream_t* listener, int status) {
               if (status == 0) static_cast<Impl*>(listener->data)->on_client();
             }) == 0);
  self.opened = self.accepting = true;
  if (self.options.adopted >= 0) {
    auto presence = PresenceLock::acquire(self.options.socket_path);
    if (presence) {
      self.presence.emplace(std::move(*presence));
    } else {
      PresenceLock::withdraw(self.options.socket_path);
      self.options.log.warn("no presence lock, so 'peerctl events' and 'peerctl top' may start a stopped daemon: " +
                            presence.error().message);
    }
  }
  return {};
}

runtime::Task<void> ControlServer::run(runtime::CancellationToken token) {
  Impl& self = *impl_;
  PEER_CHECK(self.opened);
  runtime::Event never;
  try {
    co_await never.wait(token);
  } catch (const runtime::Cancelled&) {
  }
  self.socket.reset();
  self.stop_accepting();
  co_await self.closed.wait(runtime::CancellationToken{});
  self.connections.request_stop();
  co_await self.connections.join();
}

}  // namespace peer::control
