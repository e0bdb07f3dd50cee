// Manual pages, in man(7) format.
#include <algorithm>

#include "ctl/reference/program.h"

namespace peer::reference {
namespace {

/// For example "\fB\-\-from\fR \fIPEER\fR".
std::string synopsis(const OptionReference& option) {
  std::string text;
  for (const std::string& flag : option.flags) {
    text += (text.empty() ? "\\fB" : ", \\fB") + man_text(flag) + "\\fR";
  }
  return option.value.empty() ? text : text + " \\fI" + man_text(option.value) + "\\fR";
}

std::string options(const std::vector<OptionReference>& all) {
  std::string text;
  for (const OptionReference& option : all) text += ".TP\n" + synopsis(option) + "\n" + man_text(option.help) + "\n";
  return text;
}

bool is_own(const OptionReference& option) { return option.flags.back() != "--help"; }

}  // namespace

std::string man_text(std::string_view text) {
  std::string out;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    line_begins = c == '\n';
    switch (c) {
      case '\\': out += "\\e"; break;
      case '-': out += "\\-"; break;
      case '\'': out += "\\(aq"; break;
      case '^': out += "\\(ha"; break;
      case '~': out += "\\(ti"; break;
      case '`': out += "\\(ga"; break;
      default: out += c;
    }
  }
  return out;
}

std::string man_options(const ProgramReference& program) { return options(program.options); }

std::string man_commands(const ProgramReference& program) {
  std::string text;
  for (const CommandReference& command : program.commands) {
    text += ".SS " + man_text(command.name) + "\n.B " + program.name + " " + man_text(command.name) + "\n";
    for (const OptionReference& option : command.options) {
      if (is_own(option)) text += "[" + synopsis(option) + "]" + (option.repeatable ? "..." : "") + "\n";
    }
    for (const ArgumentReference& argument : command.arguments) {
      const std::string name = "\\fI" + man_text(argument.name) + "\\fR";
      text += (argument.required ? name : "[" + name + "]") + "\n";
    }
    std::string help = man_text(command.help);
    help[0] = static_cast<char>(help[0] >= 'a' && help[0] <= 'z' ? help[0] - 'a' + 'A' : help[0]);
    text += ".PP\n" + help + ".\n";
    for (const ArgumentReference& argument : command.arguments) {
      text += ".TP\n\\fI" + man_text(argument.name) + "\\fR\n" + man_text(argument.help) + "\n";
    }
    std::vector<OptionReference> own;
    std::ranges::copy_if(command.options, std::back_inserter(own), is_own);
    text += options(own);
    if (!command.examples.empty()) text += ".PP\n.nf\n" + man_text(command.examples) + "\n.fi\n";
  }
  return text;
}

std::string man_page(std::string_view page, const std::function<std::string(std::string_view)>& part) {
  std::string out;
  while (!page.empty()) {
    const std::size_t end = std::min(page.find('\n'), page.size() - 1);
    const std::string_view line = page.substr(0, end);
    const bool is_place = line.size() > 2 && line.starts_with('@') && line.ends_with('@');
    out += is_place ? part(line.substr(1, line.size() - 2)) : std::string(line) + "\n";
    page.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace peer::reference
