#include "daemon/peer_settings.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <span>
#include <utility>

#include "libpeer/host/system.h"
#include "libpeer/node/service_faults.h"

namespace peer::daemon {
namespace {

#if PEERD_TEST_HOOKS
/// PEERD_TAMPER=BYTES makes this peer lie: it corrupts every buffer that it sends after that many bytes.
std::function<void(std::span<std::uint8_t>)> tamper_after(const char* bytes) {
  if (bytes == nullptr) return {};
  return [left = std::strtoull(bytes, nullptr, 10)](std::span<std::uint8_t> buffer) mutable {
    if (left < buffer.size()) buffer[0] ^= 1;
    left -= std::min<std::uint64_t>(left, buffer.size());
  };
}
#endif

/// Keeps the daemon's own files out of the library, in case a root contains them.
void protect_own_files(const DaemonOptions& options, api::PeerSettings& settings) {
  settings.protected_trees = {options.state};
  for (const std::string& file : {options.config_file, options.config.party_key_file}) {
    if (file.empty()) continue;
    const std::filesystem::path path = std::filesystem::absolute(file);
    settings.protected_files.push_back(path.string());
    if (path.parent_path().filename() == "peerd") settings.protected_trees.push_back(path.parent_path().string());
  }
}

}  // namespace

Result<access::Access> access_of(const Config& config) {
  access::Access access;
  if (config.access == "paired") access.mode = access::AccessMode::paired;
  if (config.access != "party") return access;
  auto secret = load_party_key(config.party_key_file);
  if (!secret) return std::unexpected(secret.error());
  access.mode = access::AccessMode::party;
  access.secret = *secret;
  access.judge_key = [loaded = *secret, path = config.party_key_file]() -> Result<std::string> {
    const auto now = load_party_key(path);
    if (!now) return std::unexpected(now.error());
    if (*now == loaded) return path + " is good and in use";
    return fail(ErrorCode::invalid, path + " contains a different key than the one in use");
  };
  return access;
}

discovery::InterfaceFilter interfaces_of(const Config& config) {
  return {config.interfaces, config.ignored_interfaces};
}

api::PeerSettings peer_settings(const DaemonOptions& options, access::Access access) {
  const Config& config = options.config;
  api::PeerSettings settings;
  settings.name = config.name.empty() ? host::host_name() : config.name;
  settings.access = std::move(access);
  settings.roots = config.roots;
  protect_own_files(options, settings);
  settings.settle = config.settle;
  settings.peers = config.peers;
  settings.ping = config.ping;
  settings.lost = config.lost;
  settings.shutdown_timeout = config.shutdown_timeout;
  settings.reserve = config.reserve;
  settings.parallel_downloads = config.parallel;
  settings.automatic = config.automatic;
  settings.limits = {config.limit_up, config.limit_down};
  return settings;
}

std::unique_ptr<api::TestHooks> test_hooks() {
#if PEERD_TEST_HOOKS
  return std::make_unique<node::ServiceFaults>(tamper_after(std::getenv("PEERD_TAMPER")));
#else
  return nullptr;
#endif
}

}  // namespace peer::daemon
