// The command line of peerctl: what it takes, what it says about itself, what completes it.
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

struct Arguments {
  std::optional<std::string> socket;
  bool json = false;
  bool quiet = false;

  std::string command;
  std::string subject;  ///< GAME, PEER, HOST[:PORT] or METHOD; empty where it may be left out
  bool local = false, remote = false;
  std::optional<std::string> version;
  std::vector<std::string> from;
  std::optional<double> wait_s;
  bool detach = false;
  bool dry_run = false;
  std::optional<std::uint64_t> since;
  std::vector<std::string> only;
  std::string params;  ///< JSON
  std::uint64_t position = 0;
  std::optional<std::uint64_t> up, down, rate;  ///< bytes a second
  bool repair = false;
  bool publish = false;
};

/// As they were typed, before they are judged.
struct Typed {
  Arguments arguments;
  std::string wait, up, down, rate;
};

/// Every command and option, with its help. What is parsed lands in `typed`.
std::unique_ptr<CLI::App> make_app(Typed& typed);

/// How an argument is completed: a word of `peerctl complete`, "commands", "file", "directory", or the possible words
/// with '|' between; empty: not at all.
std::string_view completed_by(std::string_view command, std::string_view argument);

struct ExitMeaning {
  int code;
  std::string_view meaning;
};
/// All that peerctl ends with.
const std::vector<ExitMeaning>& exit_meanings();

/// The arguments; or an exit code, all that there is to say having been printed.
std::expected<Arguments, int> parse_arguments(int argc, const char* const* argv, const std::string& version);

}  // namespace peer::ctl
