// The public interface of a peer. start_peer() creates the peer in the given scopes and returns a handle. Commands are
// sent through the handle; events are passed to PeerOptions::on_event.
//
//   api::PeerRuntimeHandle peer = builder.start();  // see peer_builder.h
//   peer.sender().send(api::ListGames{}, [](Result<api::GameList> games) { ... });
//   peer.shutdown();
//   const api::RuntimeExit end = co_await peer.wait_stopped(token);
//
// Limits: 1024 commands may wait to be handled; send() refuses more.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libpeer/api/commands.h"
#include "libpeer/api/events.h"
#include "libpeer/api/peer_options.h"
#include "libpeer/runtime/channel.h"

namespace peer::api {

/// Why the peer ended.
struct RuntimeExit {
  bool failed = false;  ///< a required service ended by itself
  std::vector<std::string>
      overran;  ///< "scope/task" of tasks still running at the shutdown timeout; empty: a clean end
};

/// Sends commands. Copyable. After the last sender and the last handle are destroyed, no command can arrive, and the
/// peer fails unless it is stopping. Loop: any thread.
class CommandSender {
 public:
  /// Calls `reply` once, on the control loop. Fails: false, without a reply, if the peer has stopped or too many
  /// commands are waiting.
  template <class C>
  bool send(C command, std::function<void(Result<typename C::Reply>)> reply) const {
    return send(Command(Request<C>{std::move(command), std::move(reply)}));
  }
  bool send(Command command) const { return channel_.try_send(std::move(command)); }

 private:
  friend class PeerRuntimeHandle;
  struct Lease;
  CommandSender(runtime::Channel<Command>::Sender channel, std::shared_ptr<Lease> lease)
      : channel_(std::move(channel)), lease_(std::move(lease)) {}

  runtime::Channel<Command>::Sender channel_;
  std::shared_ptr<Lease> lease_;
};

/// Controls a running peer. Copyable. Loop: any thread, except where noted.
class PeerRuntimeHandle {
 public:
  CommandSender sender() const { return CommandSender(channel(), lease_); }
  /// Begins a clean stop and returns at once. Calling it again does nothing.
  void shutdown() const;
  /// Waits until the peer has stopped: at most shutdown_timeout after shutdown() or after a required service failed.
  /// Does not keep the handle alive. Loop: control.
  runtime::Task<RuntimeExit> wait_stopped(runtime::CancellationToken token) const;

  struct State;
  explicit PeerRuntimeHandle(std::shared_ptr<State> state);

 private:
  runtime::Channel<Command>::Sender channel() const;

  std::shared_ptr<State> state_;
  std::shared_ptr<CommandSender::Lease> lease_;
};

/// Loop: control.
PeerRuntimeHandle start_peer(PeerOptions options);

}  // namespace peer::api
