// Completion for bash. Needs bash 4 or later, and no other package.
#include "ctl/reference/program.h"

namespace peer::reference {
namespace {

std::string words(const std::vector<OptionReference>& options) {
  std::string text;
  for (const OptionReference& option : options) text += (text.empty() ? "" : " ") + option.flags.back();
  return text;
}

/// The bash command that offers the values of an option or argument.
std::string offer(const std::string& program, const std::string& completed_by) {
  if (completed_by.empty()) return ":";
  if (completed_by == "file") return "compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\"))";
  if (completed_by == "directory") return "compopt -o filenames; COMPREPLY=($(compgen -d -- \"$cur\"))";
  if (completed_by.find('|') != std::string::npos) {
    std::string list = completed_by;
    for (char& c : list) c = c == '|' ? ' ' : c;
    return "_" + program + "_offer < <(printf '%s\\n' " + list + ")";
  }
  return "_" + program + "_offer < <(_" + program + "_names " + completed_by + ")";
}

/// A case pattern for "COMMAND --flag". The program's own options may follow any command.
std::string pattern(const std::string& command, const std::string& flag) {
  return (command.empty() ? "*' " : "'" + command + " ") + flag + "'";
}

/// A case for each flag that takes a value.
std::string value_cases(const std::string& program, const std::string& command,
                        const std::vector<OptionReference>& options) {
  std::string text;
  for (const OptionReference& option : options) {
    if (option.value.empty()) continue;
    for (const std::string& flag : option.flags) {
      text += "    " + pattern(command, flag) + ") " + offer(program, option.completed_by) + "; return ;;\n";
    }
  }
  return text;
}

std::string value_patterns(const std::string& command, const std::vector<OptionReference>& options) {
  std::string text;
  for (const OptionReference& option : options) {
    if (option.value.empty()) continue;
    for (const std::string& flag : option.flags) text += "|" + pattern(command, flag);
  }
  return text;
}

/// P stands for the program's name.
constexpr std::string_view kHelpers = R"(# Prints names from the running daemon, one per line; nothing if none answers.
_P_names() {
  local i socket=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ ${COMP_WORDS[i]} == --socket ]] && socket=(--socket "${COMP_WORDS[i + 1]}")
  done
  "${COMP_WORDS[0]/#\~/$HOME}" "${socket[@]}" complete "$1" 2>/dev/null
}

# Offers the lines of stdin that begin with the typed word, with the same quotes.
_P_offer() {
  local line quote='' typed=${cur//\\/}
  case $cur in
    [\"\']*) quote=${cur:0:1} typed=${typed:1} ;;
  esac
  while IFS= read -r line; do
    [[ -n $line && $line == "$typed"* ]] || continue
    case $quote in
      \") line=${line//\\/\\\\} line=${line//\"/\\\"} line=${line//\$/\\\$} line=${line//\`/\\\`} ;;
      \') line=${line//\'/\'\\\'\'} ;;
      *) printf -v line %q "$line" ;;
    esac
    COMPREPLY+=("$line")
  done
}

_P() {
  local cur first i word command='' place=0
  COMPREPLY=()
  # bash splits words at colons and equals signs; join them again.
  cur=${COMP_WORDS[COMP_CWORD]} first=$COMP_CWORD
  while ((first > 1)) && [[ $cur == [:=]* || ${COMP_WORDS[first - 1]} == [:=] ]]; do
    first=$((first - 1)) cur=${COMP_WORDS[first]}$cur
  done
)";

std::string with_name(std::string_view text, const std::string& name) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_place = text.substr(0, i).ends_with('_') && (text.substr(i, 2) == "P_" || text.substr(i, 2) == "P(");
    is_place ? out += name : out += text[i];
  }
  return out;
}

}  // namespace

std::string bash_completion(const ProgramReference& program) {
  const std::string& name = program.name;
  std::string out = "# Completion for " + name + " in bash; generated from the definition of its command line.\n\n";
  out += with_name(kHelpers, name);

  std::string with_value = "' '" + value_patterns("", program.options);
  for (const CommandReference& command : program.commands) with_value += value_patterns(command.name, command.options);
  out += "  for ((i = 1; i < first; i++)); do\n    word=${COMP_WORDS[i]}\n    case \"$command $word\" in\n      " +
         with_value + ") i=$((i + 1)) ;;\n      *' -'*) ;;\n";
  if (program.commands.empty()) {
    out += "      *) place=$((place + 1)) ;;\n";
  } else {
    out += "      ' '*) command=$word ;;\n      *) place=$((place + 1)) ;;\n";
  }
  out += "    esac\n  done\n";

  out += "  case \"$command ${COMP_WORDS[first - 1]}\" in\n";
  for (const CommandReference& command : program.commands) out += value_cases(name, command.name, command.options);
  out += value_cases(name, "", program.options);
  out += "  esac\n";

  out += "  if [[ $cur == -* ]]; then\n    case $command in\n";
  for (const CommandReference& command : program.commands) {
    out += "      " + command.name + ") word='" + words(command.options) + "' ;;\n";
  }
  out += "      *) word='" + words(program.options) + "' ;;\n    esac\n";
  out += "    COMPREPLY=($(compgen -W \"$word\" -- \"$cur\"))\n    return\n  fi\n";

  out += "  case \"$command $place\" in\n";
  if (!program.commands.empty()) {
    out += "    ' 0') COMPREPLY=($(compgen -W '";
    for (const CommandReference& command : program.commands)
      out += (&command == program.commands.data() ? "" : " ") + command.name;
    out += "' -- \"$cur\")) ;;\n";
  }
  for (const CommandReference& command : program.commands) {
    for (std::size_t i = 0; i < command.arguments.size(); ++i) {
      const std::string& by = command.arguments[i].completed_by;
      if (!by.empty()) out += "    '" + command.name + " " + std::to_string(i) + "') " + offer(name, by) + " ;;\n";
    }
  }
  out +=
      "  esac\n  if [[ $cur == *[:=]* ]]; then\n    word=${cur%\"${cur##*[:=]}\"}\n"
      "    COMPREPLY=(\"${COMPREPLY[@]#\"$word\"}\")\n  fi\n}\ncomplete -F _" +
      name + " " + name + "\n";
  return out;
}

}  // namespace peer::reference
