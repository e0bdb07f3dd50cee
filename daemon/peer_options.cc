#include "daemon/peer_options.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <span>
#include <utility>

#include "daemon/machine_findings.h"

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
void protect_own_files(const DaemonOptions& options, api::PeerOptions& peer) {
  peer.protected_trees = {options.state};
  for (const std::string& file : {options.config_file, options.config.party_key_file}) {
    if (file.empty()) continue;
    const std::filesystem::path path = std::filesystem::absolute(file);
    peer.protected_files.push_back(path.string());
    if (path.parent_path().filename() == "peerd") peer.protected_trees.push_back(path.parent_path().string());
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

api::PeerOptions peer_options(const DaemonOptions& options, access::Access access, net::Identity identity) {
  const Config& config = options.config;
  api::PeerOptions peer(std::move(identity));
  peer.name = config.name;
  peer.access = std::move(access);
  peer.roots = config.roots;
  protect_own_files(options, peer);
  peer.settle = config.settle;
  peer.peers = config.peers;
  peer.ping = config.ping;
  peer.lost = config.lost;
  peer.shutdown_timeout = config.shutdown_timeout;
  peer.reserve = config.reserve;
  peer.parallel_downloads = config.parallel;
  peer.automatic = config.automatic;
  peer.limits = {config.limit_up, config.limit_down};
  peer.judge_machine = [&options] { return machine_findings(options); };
#if PEERD_TEST_HOOKS
  peer.tamper = tamper_after(std::getenv("PEERD_TAMPER"));
#endif
  return peer;
}

}  // namespace peer::daemon
