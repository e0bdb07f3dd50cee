#include "libpeer/node/game_commands.h"

#include "libpeer/protocol/path.h"

namespace peer::node {

runtime::Task<Result<std::vector<library::Problem>>> GameCommands::handle(api::Rescan command,
                                                                          runtime::CancellationToken token) {
  if (command.publish && !command.game) co_return fail(ErrorCode::invalid, "publish needs the name of a game");
  const std::string name = command.game.value_or("");
  auto work = command.publish ? library_.publish(name, token) : library_.rescan(std::move(command.game), token);
  const Result<void> done = co_await work;
  if (!done) co_return std::unexpected(done.error());
  if (command.publish) log_.game(name).info(protocol::printable(name) + " is offered as a new version");
  co_return library_.snapshot()->missing_roots;
}

}  // namespace peer::node
