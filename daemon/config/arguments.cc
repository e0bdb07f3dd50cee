#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <map>

#include "daemon/config/config.h"

namespace peer::daemon {

namespace {

const std::map<std::string, LogLevel>& levels() {
  static const std::map<std::string, LogLevel> table{{"trace", LogLevel::trace},
                                                     {"debug", LogLevel::debug},
                                                     {"info", LogLevel::info},
                                                     {"warn", LogLevel::warn},
                                                     {"error", LogLevel::error}};
  return table;
}

constexpr const char* kFooter =
    R"(A flag overrides the configuration file: see peerd.toml(5). "peerctl doctor" shows which file is read.

Examples:
  peerd --library ~/games
  peerd --library /srv/games --listen 192.168.1.7:24747 --peer 192.168.2.20
  peerd --check-config

Exit codes:
  0    stopped cleanly
  1    a required service failed
  2    wrong usage or configuration, an unusable directory, or the port or the state directory is in use)";

}  // namespace

std::unique_ptr<CLI::App> make_app(Typed& unchecked) {
  Arguments& arguments = unchecked.arguments;
  auto app = std::make_unique<CLI::App>(
      "Shares the games in its library directories with the local network, and downloads games from other peers.",
      "peerd");
  const auto text = [&](const char* flag, std::optional<std::string>& into, const char* type, const char* help) {
    app->add_option(flag, into, help)->type_name(type);
  };
  const auto list = [&](const char* flag, std::vector<std::string>& into, const char* type, const char* help) {
    app->add_option(flag, into, help)->type_name(type)->allow_extra_args(false);
  };
  app->set_help_flag("-h,--help", "show this help");
  text("--config", arguments.config_file, "FILE", "the configuration file");
  list("--library", arguments.roots, "DIR", "a directory of games; the first one receives downloads (repeatable)");
  text("--state", arguments.state, "DIR", "the directory of the identity and the database");
  text("--socket", arguments.socket, "PATH", "the control socket");
  text("--listen", arguments.listen, "ADDR:PORT", "the UDP address to listen on; port 0: any free port ([::]:24747)");
  text("--name", arguments.name, "NAME", "the name that other peers see (the host name)");
  list("--peer", arguments.peers, "HOST[:PORT]", "a peer to stay connected with (repeatable)");
  app->add_flag("--no-mdns", arguments.no_mdns, "do not find peers by mDNS");
  list("--interface", arguments.interfaces, "NAME", "a network interface to use, instead of all (repeatable)");
  app->add_option("--log-level", unchecked.level, "trace, debug, info, warn or error (info)")->type_name("LEVEL");
  app->add_flag("--check-config", arguments.check_only, "check the configuration and exit");
  app->footer(kFooter);
  return app;
}

std::string_view completed_by(std::string_view argument) {
  if (argument == "DIR") return "directory";
  if (argument == "FILE" || argument == "PATH") return "file";
  return argument == "LEVEL" ? "trace|debug|info|warn|error" : "";
}

Result<Arguments> parse_arguments(int argc, const char* const* argv, const std::string& version) {
  Typed unchecked;
  Arguments& arguments = unchecked.arguments;
  const std::unique_ptr<CLI::App> app = make_app(unchecked);
  app->set_version_flag("--version", "peerd " + version, "print the version");
  try {
    app->parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    arguments.print = app->help();
  } catch (const CLI::CallForVersion&) {
    arguments.print = "peerd " + version + "\n";
  } catch (const CLI::ParseError& error) {
    std::string line = error.what();
    std::ranges::replace(line, '\n', ' ');
    return fail(ErrorCode::invalid, line + " (peerd --help lists the flags)");
  }
  const auto known = levels().find(unchecked.level);
  if (known == levels().end())
    return fail(ErrorCode::invalid,
                "--log-level must be trace, debug, info, warn or error, not \"" + unchecked.level + "\"");
  arguments.log_level = known->second;
  return arguments;
}

Result<Config> merge(Config config, const Arguments& arguments) {
  if (!arguments.roots.empty()) {
    config.roots.clear();
    for (const std::string& root : arguments.roots) {
      std::error_code error;
      const auto absolute = std::filesystem::absolute(root, error);
      if (error || root.empty()) return fail(ErrorCode::invalid, "--library: \"" + root + "\" is not a path");
      config.roots.push_back(absolute.string());
    }
  }
  // Gives each directory one spelling, because the hash cache identifies directories by their paths.
  for (std::string& root : config.roots) {
    root = std::filesystem::path(root).lexically_normal().string();
    while (root.size() > 1 && root.ends_with('/')) root.pop_back();
  }
  if (arguments.listen) config.listen = *arguments.listen;
  if (arguments.name) config.name = *arguments.name;
  if (!arguments.peers.empty()) config.peers = arguments.peers;
  if (!arguments.interfaces.empty()) config.interfaces = arguments.interfaces;
  if (arguments.no_mdns) config.mdns = false;
  return config;
}

Result<Config> effective_config(const std::string& file, const Arguments& arguments) {
  Config config;
  if (arguments.config_file || ::access(file.c_str(), F_OK) == 0) {
    auto loaded = load_config(file);
    if (!loaded) return loaded;
    config = std::move(*loaded);
  }
  return merge(std::move(config), arguments);
}

}  // namespace peer::daemon
