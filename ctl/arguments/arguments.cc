#include "ctl/arguments/arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <span>

#include "libpeer/base/units.h"
#include "libpeer/base/version_prefix.h"

namespace peer::ctl {
namespace {

int usage(bool json, std::string message) {
  std::ranges::replace(message, '\n', ' ');
  message += " (peerctl --help lists the commands)";
  if (json) {
    const nlohmann::json answer{{"error", {{"code", "invalid"}, {"message", message}}}};
    std::puts(answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  } else {
    std::fprintf(stderr, "peerctl: %s\n", message.c_str());
  }
  return 2;
}

/// Whether --json was given. Needed for usage errors, when parsing has failed.
bool asks_for_json(std::span<const char* const> words) {
  const auto end = std::ranges::find(words, std::string_view("--"));
  return std::find(words.begin(), end, std::string_view("--json")) != end;
}

/// Runs `help [COMMAND]`.
int help(const CLI::App& app, const std::string& command, bool json) {
  if (command.empty()) {
    // app.help() would print the help of the selected command, which is `help` itself.
    std::fputs(app.get_formatter()->make_help(&app, app.get_name(), CLI::AppFormatMode::Normal).c_str(), stdout);
    return 0;
  }
  const auto found = app.get_subcommands([&](const CLI::App* sub) { return sub->get_name() == command; });
  if (found.empty()) return usage(json, "no command \"" + command + "\"");
  std::fputs(found.front()->help(app.get_name()).c_str(), stdout);
  return 0;
}

std::expected<Arguments, int> checked(TypedArguments& typed) {
  Arguments& arguments = typed.arguments;
  if (!typed.wait.empty()) {
    const auto duration = parse_duration(typed.wait);
    if (!duration)
      return std::unexpected(
          usage(arguments.json, "--wait must be a time like 30s, 5m or 2h, not \"" + typed.wait + "\""));
    arguments.download.wait_s = std::chrono::duration<double>(*duration).count();
  }
  if (arguments.version && !version_prefix(*arguments.version)) {
    return std::unexpected(usage(arguments.json, "--version must be 8 to 64 hex digits, as in 'peerctl games', not \"" +
                                                     *arguments.version + "\""));
  }
  for (const auto& [text, into] :
       {std::pair(&typed.up, &arguments.limit.up), std::pair(&typed.down, &arguments.limit.down),
        std::pair(&typed.rate, &arguments.verify.rate)}) {
    if (text->empty()) continue;
    *into = parse_size(*text);
    if (!*into)
      return std::unexpected(
          usage(arguments.json, "a rate is a number of bytes per second like 500K, 20M or 1G, not \"" + *text + "\""));
  }
  return std::move(arguments);
}

}  // namespace

std::expected<Arguments, int> parse_arguments(int argc, const char* const* argv, const std::string& version) {
  TypedArguments typed;
  const bool json = asks_for_json({argv, static_cast<std::size_t>(argc)});
  const std::unique_ptr<CLI::App> app = make_app(typed);
  app->set_version_flag("--version", "peerctl " + version, "print the version");
  try {
    app->parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(app->help().c_str(), stdout);
    return std::unexpected(0);
  } catch (const CLI::CallForVersion&) {
    std::printf("peerctl %s\n", version.c_str());
    return std::unexpected(0);
  } catch (const CLI::RequiredError& error) {
    // An unknown command is in remaining() when CLI11 reports that the command is missing.
    const std::vector<std::string> rest = app->remaining();
    return std::unexpected(usage(json, rest.empty() ? error.what() : "no command \"" + rest.front() + "\""));
  } catch (const CLI::ParseError& error) {
    return std::unexpected(usage(json, error.what()));
  }
  typed.arguments.command = app->get_subcommands().front()->get_name();
  if (typed.arguments.command == "help") return std::unexpected(help(*app, typed.arguments.subject, json));
  return checked(typed);
}

}  // namespace peer::ctl
