// peerctl: controls the peerd on this machine.
#include <array>
#include <cstdio>
#include <exception>
#include <string_view>

#include "ctl/arguments/arguments.h"
#include "ctl/invocation.h"

namespace {

using namespace peer::ctl;

struct CommandFunction {
  std::string_view name;
  int (*run)(Invocation&);
};

constexpr std::array kCommands{
    CommandFunction{"status", run_status},     CommandFunction{"games", run_games},
    CommandFunction{"show", run_show},         CommandFunction{"peers", run_peers},
    CommandFunction{"connect", run_connect},   CommandFunction{"disconnect", run_disconnect},
    CommandFunction{"download", run_download}, CommandFunction{"downloads", run_downloads},
    CommandFunction{"cancel", run_cancel},     CommandFunction{"pause", run_pause},
    CommandFunction{"resume", run_resume},     CommandFunction{"move", run_move},
    CommandFunction{"remove", run_remove},     CommandFunction{"rescan", run_rescan},
    CommandFunction{"verify", run_verify},     CommandFunction{"limit", run_limit},
    CommandFunction{"ban", run_ban},           CommandFunction{"unban", run_unban},
    CommandFunction{"pair", run_pair},         CommandFunction{"unpair", run_unpair},
    CommandFunction{"events", run_events},     CommandFunction{"metrics", run_metrics},
    CommandFunction{"doctor", run_doctor},     CommandFunction{"call", run_call},
    CommandFunction{"top", run_top},           CommandFunction{"shutdown", run_shutdown},
    CommandFunction{"complete", run_complete},
};

int run(int argc, char** argv) {
  const auto arguments = parse_arguments(argc, argv, PEERD_VERSION);
  if (!arguments) return arguments.error();
  Invocation invocation(*arguments);
  for (const CommandFunction& command : kCommands) {
    if (command.name == arguments->command) return command.run(invocation);
  }
  return kUsage;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    // This includes an answer of the daemon that lacks a field.
    std::fprintf(stderr, "peerctl: %s\n", error.what());
    return kFailed;
  }
}
