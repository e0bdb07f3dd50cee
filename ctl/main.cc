// peerctl: talks to the peerd on this machine.
#include <array>
#include <cstdio>
#include <exception>
#include <string_view>

#include "ctl/arguments/arguments.h"
#include "ctl/session.h"

namespace {

using namespace peer::ctl;

struct Command {
  std::string_view name;
  int (*run)(Session&);
};

constexpr std::array kCommands{
    Command{"status", run_status},     Command{"games", run_games},
    Command{"show", run_show},         Command{"peers", run_peers},
    Command{"connect", run_connect},   Command{"disconnect", run_disconnect},
    Command{"download", run_download}, Command{"downloads", run_downloads},
    Command{"cancel", run_cancel},     Command{"pause", run_pause},
    Command{"resume", run_resume},     Command{"move", run_move},
    Command{"remove", run_remove},     Command{"rescan", run_rescan},
    Command{"verify", run_verify},     Command{"limit", run_limit},
    Command{"ban", run_ban},           Command{"unban", run_unban},
    Command{"pair", run_pair},         Command{"unpair", run_unpair},
    Command{"events", run_events},     Command{"metrics", run_metrics},
    Command{"doctor", run_doctor},     Command{"call", run_call},
    Command{"top", run_top},           Command{"shutdown", run_shutdown},
    Command{"complete", run_complete},
};

int run(int argc, char** argv) {
  const auto arguments = parse_arguments(argc, argv, PEERD_VERSION);
  if (!arguments) return arguments.error();
  Session session(*arguments);
  for (const Command& command : kCommands) {
    if (command.name == arguments->command) return command.run(session);
  }
  return kUsage;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    // Also an answer in which a field is missing.
    std::fprintf(stderr, "peerctl: %s\n", error.what());
    return kFailed;
  }
}
