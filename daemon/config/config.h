// The configuration of peerd: its file and its flags, checked and merged.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/access/party.h"
#include "libpeer/base/log.h"
#include "libpeer/base/result.h"

namespace CLI {
class App;
}

namespace peer::daemon {

using Duration = std::chrono::nanoseconds;

struct Config {
  std::string name;  ///< empty: the host name
  std::vector<std::string> roots;
  Duration settle = std::chrono::seconds(5);
  std::string listen = "[::]:24747";
  std::vector<std::string> peers;
  std::vector<std::string> interfaces;          ///< to use; empty: all but virtual ones
  std::vector<std::string> ignored_interfaces;  ///< interfaces that are never used
  bool mdns = true;
  std::string access = "open";  ///< or "party" or "paired"
  std::string party_key_file;
  std::uint64_t parallel = 3;
  std::uint64_t reserve = 256'000'000;
  std::vector<std::string> automatic;  ///< globs: games to download and keep up to date automatically
  std::uint64_t limit_up = 0;          ///< bytes per second; 0: no limit
  std::uint64_t limit_down = 0;
  Duration ping = std::chrono::seconds(10);
  Duration lost = std::chrono::seconds(25);
  Duration shutdown_timeout = std::chrono::seconds(2);
  // The programs of hooks with their arguments; empty: none.
  std::vector<std::string> on_download_finished, on_download_failed, on_game_added, on_peer_joined, on_peer_left;
  std::vector<std::string> on_service_restarted, on_runtime_failed;
  Duration hook_timeout = std::chrono::seconds(30);
  /// The given keys that have no effect in this version.
  std::vector<std::string> without_effect;
};

/// Reads a TOML text. Messages begin with "FILE:LINE: ", where FILE is `file`. Fails: invalid, for an unknown key or an
/// invalid value.
Result<Config> parse_config(std::string_view text, const std::string& file);
Result<Config> load_config(const std::string& path);

/// Reads the secret that all peers of the party share. Fails: invalid, for a file that is missing, that others can
/// read, or that contains no valid secret; the message never contains the secret.
Result<access::PartySecret> load_party_key(const std::string& path);

/// Checks what depends on several keys or flags: a library is given, liveness.lost exceeds liveness.ping, the party's
/// key file is valid. Fails: invalid.
Result<void> check_config(const Config& config);

/// The flags of the command line. An absent flag does not override the file.
struct Arguments {
  std::optional<std::string> config_file;
  std::vector<std::string> roots;
  std::optional<std::string> state;
  std::optional<std::string> socket;
  std::optional<std::string> listen;
  std::optional<std::string> name;
  std::vector<std::string> peers;
  std::vector<std::string> interfaces;
  bool no_mdns = false;
  LogLevel log_level = LogLevel::info;
  bool check_only = false;
  std::optional<std::string> print;  ///< for --help or --version: print this and exit
};

/// The flags before their values are checked.
struct Typed {
  Arguments arguments;
  std::string level = "info";
};

/// All flags with their help. Parsing stores them in `unchecked`, which must outlive the parser.
std::unique_ptr<CLI::App> make_app(Typed& unchecked);
/// How a shell completes a flag's value: "file", "directory", or the possible words separated by '|'. Empty: no
/// completion.
std::string_view completed_by(std::string_view argument);

/// Fails: invalid, with a message of one line.
Result<Arguments> parse_arguments(int argc, const char* const* argv, const std::string& version);

/// Overrides the file with the flags. A list given by flags replaces the list of the file.
Result<Config> merge(Config config, const Arguments& arguments);

/// The file and the flags together, not yet checked as a whole. Without --config the file may be missing.
Result<Config> effective_config(const std::string& file, const Arguments& arguments);

/// The environment variables that determine the default paths. An empty variable counts as unset.
struct Places {
  std::string state_directory, runtime_directory;                      ///< set by systemd
  std::string xdg_state_home, xdg_runtime_dir, xdg_config_home, home;  ///< of a user
  static Places from_environment();

  std::string state() const;
  std::string socket() const;
  std::string config_file() const;
};

}  // namespace peer::daemon
