// Completion for fish.
#include "ctl/reference/program.h"

namespace peer::reference {
namespace {

std::string fish_string(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

/// The options of fish's `complete` for a value.
std::string values(const std::string& program, const std::string& completed_by) {
  if (completed_by.empty()) return " -x";
  if (completed_by == "file") return " -r -F";
  if (completed_by == "directory") return " -x -a '(__fish_complete_directories)'";
  if (completed_by.find('|') == std::string::npos) return " -x -a '(__" + program + "_names " + completed_by + ")'";
  std::string list = completed_by;
  for (char& c : list) c = c == '|' ? ' ' : c;
  return " -x -a '" + list + "'";
}

std::string lines(const std::string& program, const std::string& condition,
                  const std::vector<OptionReference>& options) {
  std::string out;
  for (const OptionReference& option : options) {
    out.append("complete -c ").append(program).append(condition);
    for (const std::string& flag : option.flags) {
      out += flag.starts_with("--") ? " -l " + flag.substr(2) : " -s " + flag.substr(1);
    }
    if (!option.value.empty()) out += values(program, option.completed_by);
    out += " -d " + fish_string(option.help) + "\n";
  }
  return out;
}

/// P stands for the program's name.
constexpr std::string_view kHelpers = R"(# Prints the command among the typed words.
function __P_command
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --socket
                set -e words[1]
            case '-*'
            case '*'
                echo $words[1]
                return
        end
        set -e words[1]
    end
end

function __P_is
    set -l command (__P_command)
    test "$command" = "$argv[1]"
end

# Prints names from the running daemon, one per line; nothing if none answers.
function __P_names
    set -l words (commandline -opc)
    set -l socket
    for i in (seq (count $words))
        test "$words[$i]" = --socket; and set socket --socket $words[(math $i + 1)]
    end
    $words[1] $socket complete $argv[1] 2>/dev/null
end

)";

}  // namespace

std::string fish_completion(const ProgramReference& program) {
  const std::string& name = program.name;
  std::string out = "# Completion for " + name + " in fish; generated from the definition of its command line.\n\n";
  if (program.commands.empty()) return out + "complete -c " + name + " -f\n" + lines(name, "", program.options);

  for (std::size_t i = 0; i < kHelpers.size(); ++i) {
    const bool is_place = kHelpers.substr(i).starts_with("P_") && kHelpers.substr(0, i).ends_with("__");
    is_place ? out += name : out += kHelpers[i];
  }
  out += "complete -c " + name + " -f\n" + lines(name, " -n '__" + name + "_is \"\"'", program.options);
  const std::string is_none = "complete -c " + name + " -n '__" + name + "_is \"\"'";
  for (const CommandReference& command : program.commands) {
    out.append(is_none).append(" -a ").append(command.name).append(" -d ").append(fish_string(command.help)) += '\n';
    const std::string condition = " -n '__" + name + "_is " + command.name + "'";
    out += lines(name, condition, command.options);
    for (const ArgumentReference& argument : command.arguments) {
      if (!argument.completed_by.empty()) {
        out.append("complete -c ").append(name).append(condition).append(values(name, argument.completed_by)) += '\n';
      }
    }
  }
  return out;
}

}  // namespace peer::reference
