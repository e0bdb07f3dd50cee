#include "libpeer/node/node_commands.h"

namespace peer::node {

// Limits are applied even if the command is cancelled, so that both loops agree on them.
runtime::Task<Result<api::Limits>> NodeCommands::handle(api::SetLimits command, runtime::CancellationToken) {
  api::Limits limits = net_.limits();
  limits.up = command.up.value_or(limits.up);
  limits.down = command.down.value_or(limits.down);
  co_await net_.set_limits(limits);
  co_return limits;
}

runtime::Task<Result<bool>> NodeCommands::handle(api::Reconfigure command, runtime::CancellationToken token) {
  downloads_.reconfigure(command.parallel, command.reserve, std::move(command.automatic));
  for (const std::string& address : command.peers) peers_.add_configured(address);
  const api::SetLimits limits{command.up, command.down};
  static_cast<void>(co_await handle(limits, std::move(token)));
  co_return true;
}

}  // namespace peer::node
