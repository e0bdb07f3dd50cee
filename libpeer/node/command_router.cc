#include "libpeer/node/command_router.h"

#include <concepts>
#include <utility>

#include "libpeer/base/fault.h"

namespace peer::node {

namespace {

/// How long a command waits for the first listing of the library.
constexpr runtime::Duration kListingWait = std::chrono::seconds(5);

template <class C>
concept AwaitsLibrary = requires { C::kAwaitsLibrary; };
template <class C>
concept RunsAsTask = requires { C::kTask; };

/// The task's name: the verb and the object of the command.
template <class C>
std::string task_name(const C& command) {
  std::string name(C::kTask);
  if constexpr (requires { command.dry_run; }) {
    if (command.dry_run) name = "plan";
  }
  if constexpr (requires { command.game.size(); }) name += " " + command.game;
  if constexpr (requires { command.address; }) name += " " + command.address;
  return name;
}

void refuse(api::Command& command) {
  std::visit([](auto& request) { request.reply(fail(ErrorCode::cancelled, "the daemon is stopping")); }, command);
}

Error failure_of(const std::exception& error) {
  return Error{ErrorCode::internal, std::string("the command failed: ") + error.what(), 0};
}

}  // namespace

void refuse_commands(CommandRouter::Commands& commands) {
  commands.close();
  while (std::optional<api::Command> late = commands.try_receive()) refuse(*late);
}

runtime::Task<void> CommandRouter::run(runtime::Scope& work, runtime::CancellationToken token) {
  std::exception_ptr failure;
  try {
    for (;;) {
      token.throw_if_requested();
      PEER_FAULT_POINT("commands");
      std::optional<api::Command> command = co_await commands_.receive(token);
      if (!command) break;  // every sender was destroyed
      route(std::move(*command), work);
    }
  } catch (...) {
    failure = std::current_exception();
  }
  refuse_commands(commands_);
  if (token.requested()) co_return;
  failed_("commands", failure ? runtime::describe(failure) : "the command channel closed without a shutdown");
}

void CommandRouter::route(api::Command command, runtime::Scope& work) {
  const bool waits = std::visit([]<class C>(const api::Request<C>&) { return AwaitsLibrary<C>; }, command);
  if (waits && !readiness_.is_ready()) {
    work.spawn("wait for the library", route_when_ready(std::move(command), work));
    return;
  }
  start(std::move(command), work);
}

runtime::Task<void> CommandRouter::route_when_ready(api::Command command, runtime::Scope& work) {
  bool stopping = false;
  try {
    co_await readiness_.wait_for(work.executor(), kListingWait, work.token());
  } catch (const runtime::Cancelled&) {
    stopping = true;
  }
  if (stopping) {
    refuse(command);
  } else {
    start(std::move(command), work);
  }
}

void CommandRouter::start(api::Command command, runtime::Scope& work) {
  std::visit([&](auto& request) { start_handler(std::move(request), work); }, command);
}

template <class C>
void CommandRouter::start_handler(api::Request<C> request, runtime::Scope& work) {
  if constexpr (std::same_as<C, api::Shutdown>) {
    request.reply(true);  // before the events of the shutdown
    shutdown_();
  } else if constexpr (RunsAsTask<C>) {
    std::string name = task_name(request.command);
    work.spawn(std::move(name), answer(std::move(request), work.token()));
  } else {
    answer_now(std::move(request));
  }
}

template <class C>
void CommandRouter::answer_now(api::Request<C> request) {
  Result<typename C::Reply> answer = fail(ErrorCode::internal, "the command failed");
  try {
    PEER_FAULT_POINT("command");
    answer = handlers_.handle(request.command);
  } catch (const std::exception& error) {
    answer = std::unexpected(failure_of(error));
  }
  request.reply(std::move(answer));
}

template <class C>
runtime::Task<void> CommandRouter::answer(api::Request<C> request, runtime::CancellationToken token) {
  Result<typename C::Reply> answer = fail(ErrorCode::cancelled, "the daemon is stopping");
  try {
    PEER_FAULT_POINT("command");
    runtime::Task<Result<typename C::Reply>> work = handlers_.handle(std::move(request.command), token);
    answer = co_await work;
  } catch (const runtime::Cancelled&) {
    if (!token.requested()) answer = fail(ErrorCode::internal, "the command was cancelled");
  } catch (const std::exception& error) {
    answer = std::unexpected(failure_of(error));
  }
  request.reply(std::move(answer));
}

}  // namespace peer::node
