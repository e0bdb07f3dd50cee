#include <CLI/CLI.hpp>
#include <filesystem>

#include "config/config.h"

namespace peer::daemon {

Result<Arguments> parse_arguments(int argc, const char* const* argv, const std::string& version) {
  Arguments arguments;
  CLI::App app{"Shares the games below its library directories with the local network, and downloads others' games.",
               "peerd"};
  app.set_version_flag("--version", "peerd " + version);
  const auto text = [&](const char* flag, std::optional<std::string>& into, const char* type, const char* help) {
    app.add_option(flag, into, help)->type_name(type);
  };
  const auto list = [&](const char* flag, std::vector<std::string>& into, const char* type, const char* help) {
    app.add_option(flag, into, help)->type_name(type)->allow_extra_args(false);
  };
  text("--config", arguments.config_file, "FILE", "the configuration file");
  list("--library", arguments.roots, "DIR", "a directory of games; the first one receives downloads (repeatable)");
  text("--state", arguments.state, "DIR", "where identity and database are kept");
  text("--socket", arguments.socket, "PATH", "the control socket");
  text("--listen", arguments.listen, "ADDR:PORT", "the UDP address; port 0: any that is free ([::]:24747)");
  text("--name", arguments.name, "NAME", "what others see (the host name)");
  list("--peer", arguments.peers, "HOST[:PORT]", "a peer to stay connected with (repeatable)");
  app.add_flag("--no-mdns", arguments.no_mdns, "do not look for peers by DNS-SD");
  list("--interface", arguments.interfaces, "NAME", "a network interface to use; all, if none is named (repeatable)");
  const std::map<std::string, LogLevel> levels{{"trace", LogLevel::trace},
                                               {"debug", LogLevel::debug},
                                               {"info", LogLevel::info},
                                               {"warn", LogLevel::warn},
                                               {"error", LogLevel::error}};
  std::string level = "info";
  app.add_option("--log-level", level, "trace, debug, info, warn or error (info)")->type_name("LEVEL");
  app.add_flag("--check-config", arguments.check_only, "check the configuration, say so, and end");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    arguments.print = app.help();
  } catch (const CLI::CallForVersion&) {
    arguments.print = "peerd " + version + "\n";
  } catch (const CLI::ParseError& error) {
    std::string line = error.what();
    std::ranges::replace(line, '\n', ' ');
    return fail(ErrorCode::invalid, line + " (peerd --help lists the flags)");
  }
  const auto known = levels.find(level);
  if (known == levels.end())
    return fail(ErrorCode::invalid, "--log-level must be trace, debug, info, warn or error, not " + level);
  arguments.log_level = known->second;
  return arguments;
}

Result<Config> merge(Config config, const Arguments& arguments) {
  if (!arguments.roots.empty()) {
    config.roots.clear();
    for (const std::string& root : arguments.roots) {
      std::error_code error;
      const auto absolute = std::filesystem::absolute(root, error);
      if (error || root.empty()) return fail(ErrorCode::invalid, "--library: \"" + root + "\" is no path");
      config.roots.push_back(absolute.string());
    }
  }
  // One spelling a directory: the hash cache knows it by its path.
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

}  // namespace peer::daemon
