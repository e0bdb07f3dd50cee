// peerd-reference: writes manual pages, completions and the example configuration into a directory.
// usage: peerd-reference PAGES_DIRECTORY INTO_DIRECTORY DATE
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "ctl/arguments/arguments.h"
#include "ctl/reference/program.h"
#include "daemon/config/config.h"
#include "daemon/config/keys.h"

namespace {

using namespace peer;
using namespace peer::reference;

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return text.str();
}

void write(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

std::string exit_codes() {
  std::string text;
  for (const ctl::ExitMeaning& each : ctl::exit_meanings()) {
    text += ".TP\n.B " + std::to_string(each.code) + "\n" + man_text(each.meaning) + "\n";
  }
  return text;
}

std::string keys() {
  std::string text;
  const daemon::Config defaults;
  for (const daemon::Key& key : daemon::keys()) {
    text += ".TP\n\\fB" + man_text(key.name) + "\\fR = " + man_text(key.value(defaults)) + "\n";
    text += man_text(key.help) + "\n(" + man_text(key.type) + "; " +
            (key.at_once ? "SIGHUP applies it" : "needs a restart") + "; for example " + man_text(key.example) + ")\n";
  }
  return text;
}

void generate(const std::filesystem::path& pages, const std::filesystem::path& into, const std::string& date) {
  ctl::TypedArguments ctl_typed;
  daemon::Typed daemon_typed;
  const auto ctl_app = ctl::make_app(ctl_typed);
  const auto daemon_app = daemon::make_app(daemon_typed);
  ctl_app->set_version_flag("--version", "", "print the version");
  daemon_app->set_version_flag("--version", "", "print the version");
  const ProgramReference peerctl = read_program(*ctl_app, ctl::completed_by);
  const ProgramReference peerd = read_program(
      *daemon_app, [](std::string_view, std::string_view argument) { return daemon::completed_by(argument); });

  for (const char* name : {"peerd.8", "peerctl.1", "peerd.toml.5"}) {
    const ProgramReference& program = std::string_view(name) == "peerctl.1" ? peerctl : peerd;
    std::string page = read(pages / (std::string(name) + ".in"));
    constexpr std::string_view kDate = "@DATE@";
    page.replace(page.find(kDate), kDate.size(), date);
    write(into / name, man_page(page, [&](std::string_view part) {
            if (part == "OPTIONS") return man_options(program);
            if (part == "COMMANDS") return man_commands(program);
            if (part == "EXIT_CODES") return exit_codes();
            if (part == "KEYS") return keys();
            throw std::runtime_error(std::string(name) + ": unknown placeholder @" + std::string(part) + "@");
          }));
  }
  for (const ProgramReference* program : {&peerd, &peerctl}) {
    write(into / "bash" / program->name, bash_completion(*program));
    write(into / "zsh" / ("_" + program->name), zsh_completion(*program));
    write(into / "fish" / (program->name + ".fish"), fish_completion(*program));
  }
  write(into / "peerd.toml", daemon::example_config());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  try {
    generate(argv[1], argv[2], argv[3]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "peerd-reference: %s\n", error.what());
    return 1;
  }
  return 0;
}
