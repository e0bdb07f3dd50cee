// What a program takes, read from the definition that also parses it: the one source of manual pages and completions.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace peer::reference {

struct Option {
  std::vector<std::string> flags;  ///< "-h", "--help"
  std::string value;               ///< what follows it: "PEER"; empty: nothing
  std::string help;
  bool repeatable = false;
  std::string completed_by;  ///< as ctl::completed_by() says
};

struct Argument {
  std::string name;
  std::string help;
  bool required = false;
  std::string completed_by;
};

struct Command {
  std::string name;
  std::string help;
  std::vector<Argument> arguments;
  std::vector<Option> options;
  std::string examples;  ///< lines as they are to be shown
};

struct Program {
  std::string name;
  std::vector<Option> options;
  std::vector<Command> commands;
};

using CompletedBy = std::function<std::string_view(std::string_view command, std::string_view argument)>;

/// Commands without a group are hidden and left out.
Program read_program(const CLI::App& app, const CompletedBy& completed_by);

// Parts of manual pages, in man(7).
std::string man_text(std::string_view text);  ///< as text that roff shows as it is
std::string man_options(const Program& program);
std::string man_commands(const Program& program);

/// The page with each @NAME@ line replaced by part(NAME).
std::string man_page(std::string_view page, const std::function<std::string(std::string_view)>& part);

// Completions: whole files.
std::string bash_completion(const Program& program);
std::string zsh_completion(const Program& program);
std::string fish_completion(const Program& program);

}  // namespace peer::reference
