// What peerd is told: its configuration file and its flags, checked and merged.
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
  std::string name;  ///< empty: the host's
  std::vector<std::string> roots;
  Duration settle = std::chrono::seconds(5);
  std::string listen = "[::]:24747";
  std::vector<std::string> peers;
  std::vector<std::string> interfaces;          ///< to use; none: all that can be meant
  std::vector<std::string> ignored_interfaces;  ///< not to use in any case
  bool mdns = true;
  std::string access = "open";  ///< or party, or paired
  std::string party_key_file;
  std::uint64_t parallel = 3;
  std::uint64_t reserve = 256'000'000;
  std::vector<std::string> automatic;  ///< globs: games that are fetched and kept up to date by themselves
  std::uint64_t limit_up = 0;          ///< bytes a second; 0: none
  std::uint64_t limit_down = 0;
  Duration ping = std::chrono::seconds(10);
  Duration lost = std::chrono::seconds(25);
  Duration shutdown_timeout = std::chrono::seconds(2);
  // Program and arguments; empty: none.
  std::vector<std::string> on_download_finished, on_download_failed, on_game_added, on_peer_joined, on_peer_left;
  std::vector<std::string> on_service_restarted, on_runtime_failed;
  Duration hook_timeout = std::chrono::seconds(30);
  /// Keys that were given, are known, and are not acted on by this version.
  std::vector<std::string> without_effect;
};

/// Reads a TOML text; `file` names it in messages ("FILE:LINE: ..."). Fails: invalid, for a key that is unknown or
/// whose value cannot be.
Result<Config> parse_config(std::string_view text, const std::string& file);
Result<Config> load_config(const std::string& path);

/// The secret in the file that every peer of the party has. Fails: invalid, for one that is missing, that others can
/// read, or that holds no good secret; the message holds nothing of it.
Result<access::PartySecret> load_party_key(const std::string& path);

/// What only the whole of file and flags can show: no library, a limit below another, no key for a party. Reads the
/// key file. Fails: invalid.
Result<void> check_config(const Config& config);

/// Flags of the command line; what is left out does not override.
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
  std::optional<std::string> print;  ///< --help or --version: this on stdout, and done
};

/// As they were typed, before they are judged.
struct Typed {
  Arguments arguments;
  std::string level = "info";
};

/// Every flag, with its help. What is parsed lands in `typed`.
std::unique_ptr<CLI::App> make_app(Typed& typed);
/// How a flag's value is completed: "file", "directory", or the possible words with '|' between; empty: not at all.
std::string_view completed_by(std::string_view argument);

/// Fails: invalid, with one line for people.
Result<Arguments> parse_arguments(int argc, const char* const* argv, const std::string& version);

/// The flags over the file; a list that is given as flags replaces the file's.
Result<Config> merge(Config config, const Arguments& arguments);

/// The file and the flags together, not yet checked as a whole. Without --config the file may be missing.
Result<Config> effective_config(const std::string& file, const Arguments& arguments);

/// The environment's values that decide default places; empty ones count as unset.
struct Places {
  std::string state_directory, runtime_directory;                      ///< systemd's
  std::string xdg_state_home, xdg_runtime_dir, xdg_config_home, home;  ///< a user's
  static Places from_environment();

  std::string state() const;
  std::string socket() const;
  std::string config_file() const;
};

}  // namespace peer::daemon
