#include "libpeer/node/doctor_checks.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

namespace peer::node {

namespace {

using Verdict = api::FindingVerdict;

constexpr std::uint32_t kRecommendedBuffer = 4 << 20;
/// Bytes per second of a gigabit network.
constexpr double kGigabit = 125e6;
/// The beginning of 2024: a clock before it has never been set.
constexpr std::int64_t kEarliestTime = 1'704'067'200'000'000'000;
constexpr std::int64_t kDay = 86'400'000'000'000;

std::string milliseconds_away(double value) {
  const auto hundredths = static_cast<std::uint64_t>(value * 100);
  const std::string rest = std::to_string(hundredths % 100);
  return std::to_string(hundredths / 100) + "." + (rest.size() < 2 ? "0" : "") + rest + " ms away";
}

/// How many peers mDNS found on the network of these addresses.
std::ptrdiff_t found_on(const std::vector<net::InterfaceAddress>& addresses, const std::vector<api::PeerInfo>& peers) {
  return std::ranges::count_if(peers, [&](const api::PeerInfo& peer) {
    if (std::ranges::find(peer.found_by, "mdns") == peer.found_by.end()) return false;
    return std::ranges::any_of(peer.addresses, [&](const std::string& text) {
      const auto address = net::SocketAddress::parse(text);
      return address && net::is_on_link(addresses, *address);
    });
  });
}

std::string fix_for_refused(const api::PeerInfo& peer, const std::string& who, bool paired_mode) {
  if (paired_mode && !peer.paired) {
    return "'peerctl pair " + (peer.id ? peer.id->brief() : who) + "', if this peer is yours";
  }
  if (paired_mode) return "pair this peer on that machine as well";
  return "check for another version, a ban or another access mode on either machine: 'peerctl doctor' and the log "
         "there show details";
}

api::Finding judge_peer(const api::PeerInfo& peer, access::AccessMode mode) {
  const std::string address = peer.addresses.empty() ? std::string() : peer.addresses.front();
  std::string who = peer.name;
  if (who.empty()) who = peer.id ? peer.id->brief() : address;
  api::Finding finding{Verdict::good, "peer " + who, std::string(to_string(peer.state)), {}};
  if (!address.empty() && who != address) finding.text += " at " + address;
  if (peer.rtt_ms) finding.text += ", " + milliseconds_away(*peer.rtt_ms);
  if (peer.state == api::PeerState::unreachable) {
    finding.verdict = Verdict::warning;
    const auto known = net::SocketAddress::parse(address);
    finding.fix = "is its daemon running? Let " +
                  (known ? "UDP port " + std::to_string(known->port()) : "its UDP port") +
                  " through the firewalls there and here";
  } else if (peer.state == api::PeerState::refused) {
    finding.verdict = Verdict::warning;
    if (!peer.reason.empty()) finding.text += ": " + peer.reason;
    finding.fix = fix_for_refused(peer, who, mode == access::AccessMode::paired);
  }
  return finding;
}

}  // namespace

std::string format_amount(double bytes) {
  const bool large = bytes >= 10e9;
  return std::to_string(static_cast<std::uint64_t>(bytes / (large ? 1e9 : 1e6))) + (large ? " GB" : " MB");
}

api::Finding judge_speed(const char* what, std::uint64_t bytes, runtime::Duration took, const char* fix) {
  const double seconds = std::max(std::chrono::duration<double>(took).count(), 1e-6);
  const double rate = static_cast<double>(bytes) / seconds;
  const bool slow = rate < kGigabit;
  return {slow ? Verdict::warning : Verdict::good, what,
          format_amount(rate) + "/s" + (slow ? ", slower than a gigabit network" : ""), slow ? fix : ""};
}

api::Finding judge_space(const store::Space& space, const std::string& root, std::uint64_t reserve) {
  api::Finding finding{
      Verdict::good, "space", format_amount(static_cast<double>(space.available)) + " free in " + root, {}};
  if (space.available < reserve + kProbeBytes) {
    finding.verdict = Verdict::bad;
    finding.text += ", of which " + format_amount(static_cast<double>(reserve)) + " stay free: no room for a game";
    finding.fix = "free some space, or lower downloads.reserve";
  }
  return finding;
}

api::Finding judge_disk_error(const Error& error, const std::string& root) {
  const bool missing = error.system == ENOENT || error.system == ENOTDIR;
  const bool corrupts = error.code == ErrorCode::disk_error && error.system == 0;
  return {Verdict::bad, "disk", error.message,
          missing    ? "mount " + root + ", or create it: downloads go there and wait until it is available"
          : corrupts ? "do not trust this disk: check its log (dmesg, smartctl)"
                     : "give the daemon's user write access to " + root + ": downloads go there"};
}

api::Finding judge_socket(const net::SocketStats& socket) {
  api::Finding finding{Verdict::good, "UDP", {}, {}};
  finding.text = "receive buffer " + std::to_string(socket.receive_buffer >> 10) + " KiB, send buffer " +
                 std::to_string(socket.send_buffer >> 10) + " KiB, segmentation offload " +
                 (socket.gso ? "on" : "off") + ", receive offload " + (socket.gro ? "on" : "off");
  if (socket.dropped_by_kernel > 0) {
    finding.text += ", " + std::to_string(socket.dropped_by_kernel) + " datagrams dropped for lack of buffer";
  }
  if (std::min(socket.receive_buffer, socket.send_buffer) < kRecommendedBuffer) {
    finding.verdict = Verdict::warning;
    finding.fix = "sysctl -w net.core.rmem_max=4194304 net.core.wmem_max=4194304, and restart peerd";
  } else if (!socket.gso || !socket.gro) {
    finding.verdict = Verdict::warning;
    finding.fix = "use a Linux kernel of version 5.0 or later, which supports both";
  }
  return finding;
}

api::Finding judge_clock(std::int64_t now, const std::vector<api::GameInfo>& games) {
  if (now < kEarliestTime) {
    return {Verdict::warning, "clock", "it was never set: downloads may choose the wrong version of a game",
            "let systemd-timesyncd or chrony set it"};
  }
  std::string newest;
  std::int64_t ahead = kDay;
  for (const api::GameInfo& game : games) {
    for (const api::RemoteVersion& version : game.remote) {
      if (version.modified - now <= ahead) continue;
      ahead = version.modified - now;
      newest = game.id;
    }
  }
  if (newest.empty()) return {Verdict::good, "clock", "set, and no peer's game is dated in the future", {}};
  return {Verdict::warning, "clock",
          "a version of " + newest + " is dated " + std::to_string(ahead / kDay) +
              " days in the future: it does not count as the newest",
          "set the clock that is wrong: the one here, or the one of the machine where the game was made"};
}

std::vector<api::Finding> judge_interfaces(const std::vector<api::LocalInterface>& interfaces,
                                           const std::vector<api::PeerInfo>& peers, const std::string& problem) {
  std::vector<api::Finding> findings;
  std::map<std::string, std::vector<net::InterfaceAddress>> by_name;
  std::set<std::string> excluded;
  for (const api::LocalInterface& each : interfaces) {
    if (each.used) by_name[each.address.name].push_back(each.address);
    if (!each.used && !each.address.address.is_loopback()) excluded.insert(each.address.name);
  }
  if (by_name.empty()) {
    findings.push_back({Verdict::bad, "mDNS", "no network interface is up and used",
                        "connect the network, or check network.interfaces and network.ignore"});
  }
  for (const auto& [name, addresses] : by_name) {
    api::Finding finding{Verdict::good,
                         "mDNS on " + name,
                         "published; peers found here: " + std::to_string(found_on(addresses, peers)),
                         {}};
    if (!addresses.front().multicast) {
      finding.verdict = Verdict::warning;
      finding.text = "this interface has no multicast: mDNS finds no peers on it";
      finding.fix = "name peers on that network with network.peers, or connect to one: it names the others";
    } else if (!problem.empty()) {
      finding.verdict = Verdict::warning;
      finding.text = "not published while mDNS does not work";
    }
    findings.push_back(std::move(finding));
  }
  for (const std::string& name : excluded) {
    findings.push_back({Verdict::good, "mDNS on " + name, "excluded, by its name or by the configuration", {}});
  }
  return findings;
}

std::vector<api::Finding> judge_peers(const std::vector<api::PeerInfo>& peers, access::AccessMode mode) {
  std::vector<api::Finding> findings;
  for (const api::PeerInfo& peer : peers) findings.push_back(judge_peer(peer, mode));
  if (findings.empty()) {
    findings.push_back({Verdict::warning, "peers", "none is known",
                        "start peerd on another machine of this network, or: peerctl connect HOST"});
  }
  return findings;
}

api::Finding judge_access_mode(access::AccessMode mode, std::size_t pairings) {
  if (mode == access::AccessMode::open) {
    return {Verdict::good, "access", "open: anyone on the local network can read the offered games", {}};
  }
  if (mode == access::AccessMode::party) {
    return {Verdict::good, "access", "party: only peers that prove the party's key", {}};
  }
  if (pairings == 0) {
    return {Verdict::warning, "access", "paired: but no peer is paired here",
            "'peerctl peers' lists the peers; run 'peerctl pair PEER' here and on the other machine"};
  }
  return {Verdict::good,
          "access",
          "paired: only peers that both sides have paired; paired here: " + std::to_string(pairings),
          {}};
}

}  // namespace peer::node
