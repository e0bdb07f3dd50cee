#include <CLI/CLI.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "ctl/arguments/arguments.h"
#include "ctl/reference/program.h"
#include "daemon/config/config.h"

namespace peer::reference {
namespace {

using Catch::Matchers::ContainsSubstring;

struct Peerctl {
  ctl::TypedArguments typed;
  std::unique_ptr<CLI::App> app = ctl::make_app(typed);
  ProgramReference program = read_program(*app, ctl::completed_by);
  const CommandReference& command(std::string_view name) const {
    return *std::ranges::find(program.commands, name, &CommandReference::name);
  }
};

struct Peerd {
  daemon::Typed typed;
  std::unique_ptr<CLI::App> app = daemon::make_app(typed);
  ProgramReference program =
      read_program(*app, [](std::string_view, std::string_view what) { return daemon::completed_by(what); });
};

TEST_CASE("Commands, options and arguments are read from the command line parser") {
  const Peerctl peerctl;
  const CommandReference& download = peerctl.command("download");
  REQUIRE(download.arguments.size() == 1);
  CHECK(download.arguments[0].name == "GAME");
  CHECK(download.arguments[0].required);
  CHECK(download.arguments[0].completed_by == "remote-games");
  const auto from = std::ranges::find(download.options, "PEER", &OptionReference::value);
  REQUIRE(from != download.options.end());
  CHECK(from->repeatable);
  CHECK(from->completed_by == "peers");
  CHECK(std::ranges::find(peerctl.program.commands, "complete", &CommandReference::name) ==
        peerctl.program.commands.end());
}

TEST_CASE("Every command, option and argument has a help text") {
  const Peerctl peerctl;
  const Peerd peerd;
  for (const ProgramReference* program : {&peerctl.program, &peerd.program}) {
    for (const OptionReference& option : program->options) CHECK(!option.help.empty());
    for (const CommandReference& command : program->commands) {
      INFO(command.name);
      CHECK(!command.help.empty());
      for (const OptionReference& option : command.options) CHECK(!option.help.empty());
      for (const ArgumentReference& argument : command.arguments) CHECK(!argument.help.empty());
    }
  }
}

TEST_CASE("Help, manual page and completions list the same commands and options") {
  const Peerctl peerctl;
  const std::string manual = man_options(peerctl.program) + man_commands(peerctl.program);
  const std::string bash = bash_completion(peerctl.program);
  const std::string zsh = zsh_completion(peerctl.program);
  const std::string fish = fish_completion(peerctl.program);
  for (const CommandReference& command : peerctl.program.commands) {
    INFO(command.name);
    const std::string help = peerctl.app->get_subcommand(command.name)->help("peerctl");
    CHECK_THAT(peerctl.app->help(), ContainsSubstring("\n  " + command.name + " "));
    CHECK_THAT(manual, ContainsSubstring(".SS " + man_text(command.name) + "\n"));
    CHECK_THAT(bash, ContainsSubstring("      " + command.name + ") word='"));
    CHECK_THAT(zsh, ContainsSubstring("'" + command.name + ":"));
    CHECK_THAT(fish, ContainsSubstring("-a " + command.name + " -d '"));
    for (const OptionReference& option : command.options) {
      const std::string& flag = option.flags.back();
      CHECK_THAT(help, ContainsSubstring(flag));
      CHECK_THAT(manual, ContainsSubstring(man_text(flag)));
      CHECK_THAT(bash, ContainsSubstring(flag));
      CHECK_THAT(zsh, ContainsSubstring(flag + "["));
      CHECK_THAT(fish, ContainsSubstring("__peerctl_is " + command.name + "' "));
      CHECK_THAT(fish, ContainsSubstring("-l " + flag.substr(2)));
    }
  }
}

TEST_CASE("The daemon's completions list its flags") {
  const Peerd peerd;
  for (const std::string& text :
       {bash_completion(peerd.program), zsh_completion(peerd.program), man_options(peerd.program)}) {
    CHECK_THAT(text, ContainsSubstring("library"));
  }
  CHECK_THAT(bash_completion(peerd.program), ContainsSubstring("compgen -d"));
  CHECK_THAT(fish_completion(peerd.program), ContainsSubstring("-l log-level -x -a 'trace debug info warn error'"));
}

TEST_CASE("man_text escapes what roff would interpret") {
  CHECK(man_text(".a-b\\") == "\\&.a\\-b\\e");
  CHECK(man_text("'peerctl'") == "\\&\\(aqpeerctl\\(aq");
}

TEST_CASE("man_page replaces placeholder lines and nothing else") {
  const auto part = [](std::string_view name) { return "<" + std::string(name) + ">\n"; };
  CHECK(man_page("one\n@TWO@\nthree @\n", part) == "one\n<TWO>\nthree @\n");
}

}  // namespace
}  // namespace peer::reference
