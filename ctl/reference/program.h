// Reads a program's options and commands from the CLI11 definition that parses them, and generates manual pages and
// completions.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace peer::reference {

struct OptionReference {
  std::vector<std::string> flags;  ///< "-h", "--help"
  std::string value;               ///< name of its value, such as "PEER"; empty: takes none
  std::string help;
  bool repeatable = false;
  std::string completed_by;  ///< see ctl::completed_by()
};

struct ArgumentReference {
  std::string name;
  std::string help;
  bool required = false;
  std::string completed_by;
};

struct CommandReference {
  std::string name;
  std::string help;
  std::vector<ArgumentReference> arguments;
  std::vector<OptionReference> options;
  std::string examples;  ///< shown unchanged
};

struct ProgramReference {
  std::string name;
  std::vector<OptionReference> options;
  std::vector<CommandReference> commands;
};

using CompletedBy = std::function<std::string_view(std::string_view command, std::string_view argument)>;

/// Omits hidden commands, which are those without a group.
ProgramReference read_program(const CLI::App& app, const CompletedBy& completed_by);

// Parts of manual pages, in man(7).
std::string man_text(std::string_view text);  ///< escapes text for roff
std::string man_options(const ProgramReference& program);
std::string man_commands(const ProgramReference& program);

/// The page with each @NAME@ line replaced by part(NAME).
std::string man_page(std::string_view page, const std::function<std::string(std::string_view)>& part);

// Completions: whole files.
std::string bash_completion(const ProgramReference& program);
std::string zsh_completion(const ProgramReference& program);
std::string fish_completion(const ProgramReference& program);

}  // namespace peer::reference
