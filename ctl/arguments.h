// The command line of peerctl.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

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

/// The arguments; or an exit code, all that there is to say having been printed.
std::expected<Arguments, int> parse_arguments(int argc, const char* const* argv);

}  // namespace peer::ctl
