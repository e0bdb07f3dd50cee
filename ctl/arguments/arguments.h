// The command line of peerctl: commands, options, help and shell completion.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace peer::ctl {

struct GamesArguments {
  bool local = false, remote = false;
};

struct DownloadArguments {
  std::vector<std::string> from;
  std::optional<double> wait_s;
  bool detach = false;
  bool dry_run = false;
};

struct VerifyArguments {
  bool repair = false;
  std::optional<std::uint64_t> rate;  ///< bytes per second
};

struct LimitArguments {
  std::optional<std::uint64_t> up, down;  ///< bytes per second
};

struct EventsArguments {
  std::optional<std::uint64_t> since;
  std::vector<std::string> only;
};

struct Arguments {
  std::optional<std::string> socket;
  bool json = false;
  bool quiet = false;

  std::string command;
  std::string subject;                 ///< GAME, PEER, HOST[:PORT] or METHOD; empty if it is optional and not given
  std::optional<std::string> version;  ///< of download and show
  GamesArguments games;
  DownloadArguments download;
  VerifyArguments verify;
  LimitArguments limit;
  EventsArguments events;
  std::string params;          ///< of call: JSON
  std::uint64_t position = 0;  ///< of move
  bool publish = false;        ///< of rescan
};

/// Arguments as typed: the values in text form are not checked yet.
struct TypedArguments {
  Arguments arguments;
  std::string wait, up, down, rate;
};

/// Defines every command and option, with its help. Parsing writes into `typed`.
std::unique_ptr<CLI::App> make_app(TypedArguments& typed);

/// How the shell completes an argument: a KIND of `peerctl complete`, "commands", "file", "directory", or the possible
/// words separated by '|'. Empty: no completion.
std::string_view completed_by(std::string_view command, std::string_view argument);

struct ExitMeaning {
  int code;
  std::string_view meaning;
};
/// Every exit code of peerctl.
const std::vector<ExitMeaning>& exit_meanings();

/// Parses the command line. Prints help, the version or a usage error itself and returns the exit code instead.
std::expected<Arguments, int> parse_arguments(int argc, const char* const* argv, const std::string& version);

}  // namespace peer::ctl
