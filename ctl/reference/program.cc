#include "ctl/reference/program.h"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace peer::reference {
namespace {

OptionReference read_option(const CLI::Option& from, std::string_view command, const CompletedBy& completed_by) {
  OptionReference option;
  for (const std::string& name : from.get_snames()) option.flags.push_back("-" + name);
  for (const std::string& name : from.get_lnames()) option.flags.push_back("--" + name);
  option.help = from.get_description();
  if (from.get_items_expected_max() == 0) return option;
  option.value = from.get_type_name();
  option.repeatable = from.get_items_expected_max() > 1;
  option.completed_by = completed_by(command, option.value);
  return option;
}

CommandReference read_command(const CLI::App& from, const CompletedBy& completed_by) {
  CommandReference command;
  command.name = from.get_name();
  command.help = from.get_description();
  for (const CLI::Option* each : from.get_options()) {
    if (each->get_positional()) {
      const std::string name = each->get_name(true);
      command.arguments.push_back(
          {name, each->get_description(), each->get_required(), std::string(completed_by(command.name, name))});
    } else {
      command.options.push_back(read_option(*each, command.name, completed_by));
    }
  }
  command.examples = from.get_footer();
  return command;
}

}  // namespace

ProgramReference read_program(const CLI::App& app, const CompletedBy& completed_by) {
  ProgramReference program;
  program.name = app.get_name();
  for (const CLI::Option* each : app.get_options()) program.options.push_back(read_option(*each, "", completed_by));
  for (const CLI::App* each : app.get_subcommands(std::function<bool(const CLI::App*)>())) {
    if (!each->get_group().empty()) program.commands.push_back(read_command(*each, completed_by));
  }
  std::string names;
  for (const CommandReference& each : program.commands) names += (names.empty() ? "" : "|") + each.name;
  for (CommandReference& command : program.commands) {
    for (ArgumentReference& argument : command.arguments) {
      if (argument.completed_by == "commands") argument.completed_by = names;
    }
  }
  return program;
}

}  // namespace peer::reference
