// Completion for zsh.
#include "ctl/reference/program.h"

namespace peer::reference {
namespace {

/// Escapes text for single quotes, and the `special` characters with backslashes.
std::string quoted(std::string_view text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
      continue;
    }
    if (special.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string action(const std::string& program, const std::string& completed_by) {
  if (completed_by.empty()) return " ";
  if (completed_by == "file") return "_files";
  if (completed_by == "directory") return "_files -/";
  if (completed_by.find('|') == std::string::npos) return "{_" + program + "_names " + completed_by + "}";
  std::string list = completed_by;
  for (char& c : list) c = c == '|' ? ' ' : c;
  return "(" + list + ")";
}

std::string specs(const std::string& program, const std::vector<OptionReference>& options) {
  std::string out;
  for (const OptionReference& option : options) {
    for (const std::string& flag : option.flags) {
      out += " \\\n        '" + std::string(option.repeatable ? "*" : "") + flag + "[" + quoted(option.help, "[]\\:") +
             "]";
      if (!option.value.empty())
        out += ":" + quoted(option.value, "[]\\:") + ":" + action(program, option.completed_by);
      out += "'";
    }
  }
  return out;
}

}  // namespace

std::string zsh_completion(const ProgramReference& program) {
  const std::string& name = program.name;
  std::string out = "#compdef " + name + "\n# Completion for " + name +
                    " in zsh; generated from the definition of its command line.\n\n";
  if (program.commands.empty()) return out + "_arguments -s" + specs(name, program.options) + "\n";

  out += "# Prints names from the running daemon, one per line; nothing if no daemon answers.\n_" + name +
         "_names() {\n  local -a names\n"
         "  names=(\"${(@f)$($program $socket complete $1 2>/dev/null)}\")\n"
         "  names=(${names:#})\n  shift\n  compadd \"$@\" -a names\n}\n\n";
  out += "_" + name +
         "() {\n  local curcontext=\"$curcontext\" state line program=${${(Q)words[1]}/#\\~/$HOME}\n"
         "  local -a commands socket\n  typeset -A opt_args\n  _arguments -C" +
         specs(name, program.options) + " \\\n        '1:command:->command' \\\n        '*::argument:->argument'\n";
  out +=
      "  [[ -n $opt_args[--socket] ]] && socket=(--socket ${(Q)opt_args[--socket]})\n  case $state in\n    command)\n"
      "      commands=(\n";
  for (const CommandReference& command : program.commands) {
    out += "        '" + command.name + ":" + quoted(command.help, "\\:") + "'\n";
  }
  out += "      )\n      _describe -t commands command commands\n      ;;\n    argument)\n      case $words[1] in\n";
  for (const CommandReference& command : program.commands) {
    out += "      " + command.name + ")\n        _arguments" + specs(name, command.options);
    for (const ArgumentReference& argument : command.arguments) {
      out += " \\\n        ':" + std::string(argument.required ? "" : ":") + quoted(argument.name, "[]\\:") + ":" +
             action(name, argument.completed_by) + "'";
    }
    out += "\n        ;;\n";
  }
  return out + "      esac\n      ;;\n  esac\n}\n\n_" + name + " \"$@\"\n";
}

}  // namespace peer::reference
