#include <cstdlib>

#include "daemon/config/config.h"

namespace peer::daemon {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// systemd separates several directories by colons.
std::string first_of(const std::string& list) { return list.substr(0, list.find(':')); }

}  // namespace

Places Places::from_environment() {
  Places places;
  places.state_directory = first_of(variable("STATE_DIRECTORY"));
  places.runtime_directory = first_of(variable("RUNTIME_DIRECTORY"));
  places.xdg_state_home = variable("XDG_STATE_HOME");
  places.xdg_runtime_dir = variable("XDG_RUNTIME_DIR");
  places.xdg_config_home = variable("XDG_CONFIG_HOME");
  places.home = variable("HOME");
  return places;
}

std::string Places::state() const {
  if (!state_directory.empty()) return state_directory;
  if (!xdg_state_home.empty()) return xdg_state_home + "/peerd";
  if (!home.empty()) return home + "/.local/state/peerd";
  return "/var/lib/peerd";
}

std::string Places::socket() const {
  if (!runtime_directory.empty()) return runtime_directory + "/peerd.sock";
  if (!xdg_runtime_dir.empty()) return xdg_runtime_dir + "/peerd/peerd.sock";
  return "/run/peerd/peerd.sock";
}

std::string Places::config_file() const {
  if (!state_directory.empty()) return "/etc/peerd/peerd.toml";
  if (!xdg_config_home.empty()) return xdg_config_home + "/peerd/peerd.toml";
  if (!home.empty()) return home + "/.config/peerd/peerd.toml";
  return "/etc/peerd/peerd.toml";
}

}  // namespace peer::daemon
