// CommandRouter: receives commands and gives each to its handler: the overload of handle() for its type.
//
// A handler is one of
//   Result<C::Reply> handle(const C& command);                                             // answers at once
//   Task<Result<C::Reply>> handle(C command, runtime::CancellationToken token);            // runs as the task C::kTask
// Every command is answered exactly once. An exception of a handler becomes the command's error `internal`.
// Loop: control.
#pragma once

#include <functional>
#include <string>

#include "libpeer/api/commands.h"
#include "libpeer/node/download_commands.h"
#include "libpeer/node/game_commands.h"
#include "libpeer/node/library_readiness.h"
#include "libpeer/node/node_commands.h"
#include "libpeer/node/peer_commands.h"
#include "libpeer/node/services.h"
#include "libpeer/runtime/channel.h"
#include "libpeer/runtime/scope.h"

namespace peer::node {

/// All handlers as one overload set.
struct CommandHandlers : GameCommands, DownloadCommands, PeerCommands, NodeCommands {
  using DownloadCommands::handle;
  using GameCommands::handle;
  using NodeCommands::handle;
  using PeerCommands::handle;
};

class CommandRouter {
 public:
  using Commands = runtime::Channel<api::Command>;
  /// `shutdown` begins the stop of the node. Everything must outlive it.
  CommandRouter(Commands& commands, CommandHandlers handlers, LibraryReadiness& readiness, NodeFailed failed,
                std::function<void()> shutdown)
      : commands_(commands),
        handlers_(std::move(handlers)),
        readiness_(readiness),
        failed_(std::move(failed)),
        shutdown_(std::move(shutdown)) {}

  /// Routes commands until cancelled; their tasks run in `work`. Any other end is a failure of the node.
  runtime::Task<void> run(runtime::Scope& work, runtime::CancellationToken token);

 private:
  void route(api::Command command, runtime::Scope& work);
  runtime::Task<void> route_when_ready(api::Command command, runtime::Scope& work);
  void start(api::Command command, runtime::Scope& work);
  template <class C>
  void start_handler(api::Request<C> request, runtime::Scope& work);
  template <class C>
  void answer_now(api::Request<C> request);
  template <class C>
  runtime::Task<void> answer(api::Request<C> request, runtime::CancellationToken token);

  Commands& commands_;
  CommandHandlers handlers_;
  LibraryReadiness& readiness_;
  NodeFailed failed_;
  std::function<void()> shutdown_;
};

/// Closes the channel and answers every command in it with `cancelled`.
void refuse_commands(CommandRouter::Commands& commands);

}  // namespace peer::node
