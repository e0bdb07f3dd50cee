// The command Diagnose: everything that has to be right on this machine for games to come across fast.
#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include "libpeer/library/installed.h"
#include "libpeer/node/runtime_state.h"
#include "libpeer/protocol/manifest.h"

namespace peer::node {

namespace {

using Judgement = api::Finding::Verdict;

constexpr std::uint64_t kProbeBytes = 64 << 20;
constexpr std::size_t kPieceBytes = 1 << 20;
constexpr const char* kProbeName = "doctor";
constexpr const char* kHiddenProbeName = ".peerd-doctor";  // where there is no .peerd: no game has such a name
constexpr std::uint32_t kWantedBuffer = 4 << 20;
/// Below it a disk or a hash is slower than a gigabit network.
constexpr double kGigabit = 125e6;
/// 2024: a clock before it was never set.
constexpr std::int64_t kPast = 1'704'067'200'000'000'000;
constexpr std::int64_t kDay = 86'400'000'000'000;

std::string amount(double bytes) {
  const bool large = bytes >= 10e9;
  return std::to_string(static_cast<std::uint64_t>(bytes / (large ? 1e9 : 1e6))) + (large ? " GB" : " MB");
}

std::string milliseconds(double value) {
  const auto hundredths = static_cast<std::uint64_t>(value * 100);
  const std::string rest = std::to_string(hundredths % 100);
  return std::to_string(hundredths / 100) + "." + (rest.size() < 2 ? "0" : "") + rest + " ms away";
}

std::vector<std::uint8_t> probe_content() {
  std::vector<std::uint8_t> piece(kPieceBytes);
  std::uint32_t state = 1;
  for (std::uint8_t& byte : piece) byte = static_cast<std::uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  return piece;
}

/// Bytes written, durable, and read back as they were.
Result<std::uint64_t> write_probe(store::Directory& peerd, const std::string& name, const runtime::StopFlag& stop) {
  const auto file = peerd.open_file(name, store::OpenMode::create);
  if (!file) return std::unexpected(file.error());
  const std::vector<std::uint8_t> piece = probe_content();
  std::uint64_t written = 0;
  for (; written < kProbeBytes && !stop.requested(); written += piece.size()) {
    if (Result<void> done = (*file)->write_at(piece, written); !done) return std::unexpected(done.error());
  }
  if (Result<void> synced = (*file)->sync(); !synced) return std::unexpected(synced.error());
  std::vector<std::uint8_t> back(kPieceBytes);
  for (std::uint64_t offset = 0; offset < written && !stop.requested(); offset += back.size()) {
    const auto count = (*file)->read_at(back, offset);
    if (!count) return std::unexpected(count.error());
    if (*count != back.size() || back != piece) {
      return fail(ErrorCode::disk_error, peerd.path() + " gives back other bytes than were written");
    }
  }
  return written;
}

struct DiskProbe {
  store::Space space;
  std::uint64_t written = 0;
};

Result<DiskProbe> probe_disk(store::Disk& disk, const std::string& root, std::uint64_t reserve,
                             const runtime::StopFlag& stop) {
  // A diagnosis changes nothing: what is missing stays missing.
  const auto top = disk.open(root, false, false);
  if (!top) return std::unexpected(top.error());
  auto below = (*top)->open_directory(library::kPeerdName, false);
  if (!below && below.error().system != ENOENT) return std::unexpected(below.error());
  const bool in_top = !below;
  const auto& peerd = in_top ? top : below;
  const std::string name = in_top ? kHiddenProbeName : kProbeName;
  const auto space = (*peerd)->space();
  if (!space) return std::unexpected(space.error());
  DiskProbe probe{*space, 0};
  if (space->available < reserve + kProbeBytes) return probe;
  const auto written = write_probe(**peerd, name, stop);
  if (Result<void> removed = (*peerd)->remove_file(name); !removed) return std::unexpected(removed.error());
  if (!written) return std::unexpected(written.error());
  probe.written = *written;
  return probe;
}

std::uint64_t probe_hash(const runtime::StopFlag& stop) {
  const std::vector<std::uint8_t> piece = probe_content();
  std::uint64_t hashed = 0;
  for (; hashed < kProbeBytes && !stop.requested(); hashed += piece.size()) static_cast<void>(protocol::hash(piece));
  return hashed;
}

/// Ids that lie in more than one root: the first one counts.
std::vector<api::Finding> find_twins(store::Disk& disk, const std::vector<std::string>& roots) {
  std::vector<api::Finding> findings;
  std::map<std::string, std::string> seen;
  for (const std::string& root : roots) {
    const auto directory = disk.open(root, false, false);
    const auto entries = directory ? (*directory)->list() : std::unexpected(directory.error());
    if (!entries) {
      findings.push_back({Judgement::bad, "library", root + " cannot be read: " + entries.error().message,
                          "mount it, or let the daemon's user read it"});
      continue;
    }
    for (const store::DirectoryEntry& entry : *entries) {
      if (entry.name.starts_with(".")) continue;
      const auto [other, is_new] = seen.emplace(entry.name, root);
      if (is_new) continue;
      findings.push_back({Judgement::warning, "library",
                          entry.name + " lies in " + other->second + " and in " + root + ": only the first is offered",
                          "remove or rename one of them"});
    }
  }
  return findings;
}

/// How fast, against what a gigabit network brings.
api::Finding judge_speed(const char* what, std::uint64_t bytes, runtime::Duration took, const char* fix) {
  const double seconds = std::max(std::chrono::duration<double>(took).count(), 1e-6);
  const double rate = static_cast<double>(bytes) / seconds;
  const bool slow = rate < kGigabit;
  return {slow ? Judgement::warning : Judgement::good, what,
          amount(rate) + "/s" + (slow ? ", less than a gigabit network brings" : ""), slow ? fix : ""};
}

api::Finding judge_socket(const net::SocketStats& socket) {
  api::Finding finding{Judgement::good, "UDP", {}, {}};
  finding.text = "receive buffer " + std::to_string(socket.receive_buffer >> 10) + " KiB, send buffer " +
                 std::to_string(socket.send_buffer >> 10) + " KiB, segmentation offload " +
                 (socket.gso ? "on" : "off") + ", receive offload " + (socket.gro ? "on" : "off");
  if (socket.dropped_by_kernel > 0) {
    finding.text += ", " + std::to_string(socket.dropped_by_kernel) + " datagrams dropped for lack of buffer";
  }
  if (std::min(socket.receive_buffer, socket.send_buffer) < kWantedBuffer) {
    finding.verdict = Judgement::warning;
    finding.fix = "sysctl -w net.core.rmem_max=4194304 net.core.wmem_max=4194304, and restart peerd";
  } else if (!socket.gso || !socket.gro) {
    finding.verdict = Judgement::warning;
    finding.fix = "a Linux kernel of 5.0 or later offers both";
  }
  return finding;
}

/// A clock that is behind is seen by what peers changed after its now.
api::Finding judge_clock(std::int64_t now, const std::vector<api::GameInfo>& games) {
  if (now < kPast) {
    return {Judgement::warning, "clock", "it was never set: the newest version of a game may be chosen wrongly",
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
  if (newest.empty()) return {Judgement::good, "clock", "set, and no peer's game is newer than now", {}};
  return {Judgement::warning, "clock",
          "a version of " + newest + " is dated " + std::to_string(ahead / kDay) +
              " days from now: it is not taken for the newest",
          "set the clock that is wrong: this one, or that of the machine where the game was made"};
}

}  // namespace

runtime::Task<std::vector<api::Finding>> PeerMain::judge_disk(runtime::CancellationToken token) {
  const std::string root = options_.settings.roots.front();
  auto twins = [disk = environment_.disk, roots = options_.settings.roots](const runtime::StopFlag&) {
    return find_twins(*disk, roots);
  };
  std::vector<api::Finding> findings = co_await runtime::offload(*environment_.workers, std::move(twins), token);

  auto write = [disk = environment_.disk, root, reserve = options_.settings.reserve](const runtime::StopFlag& stop) {
    return probe_disk(*disk, root, reserve, stop);
  };
  runtime::TimePoint began = root_->executor().now();
  const Result<DiskProbe> disk = co_await runtime::offload(*environment_.workers, std::move(write), token);
  if (!disk) {
    const bool missing = disk.error().system == ENOENT || disk.error().system == ENOTDIR;
    const bool lies = disk.error().code == ErrorCode::disk_error && disk.error().system == 0;
    findings.push_back({Judgement::bad, "disk", disk.error().message,
                        missing ? "mount " + root + ", or make it: downloads go there and wait until it is back"
                        : lies  ? "do not trust this disk: look at its log (dmesg, smartctl)"
                                : "let the daemon's user write to " + root + ": downloads go there"});
    co_return findings;
  }
  const auto available = static_cast<double>(disk->space.available);
  api::Finding space{Judgement::good, "space", amount(available) + " free in " + root, {}};
  if (disk->space.available < options_.settings.reserve + kProbeBytes) {
    space.verdict = Judgement::bad;
    space.text +=
        ", of which " + amount(static_cast<double>(options_.settings.reserve)) + " stay free: no room for a game";
    space.fix = "free some space, or lower downloads.reserve";
  }
  findings.push_back(std::move(space));
  if (disk->written > 0) {
    findings.push_back(judge_speed("disk", disk->written, root_->executor().now() - began,
                                   "downloads will be as slow: use a faster disk for the first library root"));
  }
  auto hash = [](const runtime::StopFlag& stop) { return probe_hash(stop); };
  began = root_->executor().now();
  const std::uint64_t hashed = co_await runtime::offload(*environment_.workers, std::move(hash), token);
  findings.push_back(judge_speed("hashing", hashed, root_->executor().now() - began,
                                 "the processor is busy, or slow: downloads will be as slow"));
  co_return findings;
}

std::vector<api::Finding> PeerMain::judge_discovery() const {
  if (!is_listening()) {
    return {{Judgement::bad, "network", missing_address(),
             "wait for it (DHCP may be late), or change network.listen and restart peerd"}};
  }
  if (environment_.discovery == nullptr) {
    return {{Judgement::good, "mDNS", "off: peers are found by network.peers, by others, and when they call", {}}};
  }
  std::vector<api::Finding> findings;
  if (const std::string& problem = services_.at("Discovery").problem; !problem.empty()) {
    findings.push_back({Judgement::bad, "discovery", problem, "meanwhile peers can be named: peerctl connect HOST"});
  }
  if (!options_.network.list_interfaces) return findings;
  const std::vector<api::LocalInterface> interfaces = options_.network.list_interfaces();
  std::map<std::string, std::vector<net::InterfaceAddress>> by_name;
  std::set<std::string> left_out;
  for (const api::LocalInterface& each : interfaces) {
    if (each.used) by_name[each.address.name].push_back(each.address);
    if (!each.used && !each.address.address.is_loopback()) left_out.insert(each.address.name);
  }
  if (by_name.empty()) {
    findings.push_back({Judgement::bad, "mDNS", "no network interface is up and used",
                        "connect the network, or look at network.interfaces and network.ignore"});
  }
  const std::vector<api::PeerInfo> peers = peers_->list();
  for (const auto& [name, addresses] : by_name) {
    const auto there = std::ranges::count_if(peers, [&](const api::PeerInfo& peer) {
      if (std::ranges::find(peer.found_by, "mdns") == peer.found_by.end()) return false;
      return std::ranges::any_of(peer.addresses, [&](const std::string& text) {
        const auto address = net::SocketAddress::parse(text);
        return address && net::is_on_link(addresses, *address);
      });
    });
    api::Finding finding{
        Judgement::good, "mDNS on " + name, "published; peers found here: " + std::to_string(there), {}};
    if (!addresses.front().multicast) {
      finding.verdict = Judgement::warning;
      finding.text = "this interface has no multicast: nobody is found through it";
      finding.fix = "name peers on that network with network.peers, or connect to one: it tells of the others";
    } else if (!services_.at("Discovery").problem.empty()) {
      finding.verdict = Judgement::warning;
      finding.text = "not published, as long as mDNS does not work";
    }
    findings.push_back(std::move(finding));
  }
  for (const std::string& name : left_out) {
    findings.push_back({Judgement::good, "mDNS on " + name, "left out, by its name or by the configuration", {}});
  }
  return findings;
}

std::vector<api::Finding> PeerMain::judge_peers() const {
  std::vector<api::Finding> findings;
  for (const api::PeerInfo& peer : peers_->list()) {
    const std::string address = peer.addresses.empty() ? std::string() : peer.addresses.front();
    std::string who = peer.name;
    if (who.empty()) who = peer.id ? peer.id->brief() : address;
    api::Finding finding{Judgement::good, "peer " + who, std::string(to_string(peer.state)), {}};
    if (!address.empty() && who != address) finding.text += " at " + address;
    if (peer.rtt_ms) finding.text += ", " + milliseconds(*peer.rtt_ms);
    if (peer.state == api::PeerState::unreachable) {
      finding.verdict = Judgement::warning;
      const auto known = net::SocketAddress::parse(address);
      finding.fix = "is its daemon running? Let " +
                    (known ? "UDP port " + std::to_string(known->port()) : "its UDP port") +
                    " through the firewalls there and here";
    } else if (peer.state == api::PeerState::refused) {
      finding.verdict = Judgement::warning;
      if (!peer.reason.empty()) finding.text += ": " + peer.reason;
      const bool paired = options_.settings.access.mode == access::AccessMode::paired;
      finding.fix =
          paired && !peer.paired ? "'peerctl pair " + (peer.id ? peer.id->brief() : who) + "', if it is one of yours"
          : paired
              ? "pair this peer there as well"
              : "another version, a ban, or another access mode, there or here: 'peerctl doctor' and the log there "
                "say more";
    }
    findings.push_back(std::move(finding));
  }
  if (findings.empty()) {
    findings.push_back({Judgement::warning, "peers", "none is known",
                        "start peerd on another machine of this network, or: peerctl connect HOST"});
  }
  return findings;
}

/// Whom this peer deals with, and whether what that needs is there.
runtime::Task<std::vector<api::Finding>> PeerMain::judge_access(runtime::CancellationToken token) {
  std::vector<api::Finding> findings;
  if (options_.settings.access.mode == access::AccessMode::open) {
    findings.push_back({Judgement::good, "access", "open: anyone on the local network may read what is offered", {}});
  } else if (options_.settings.access.mode == access::AccessMode::paired) {
    const std::size_t pairs = peers_->paired().size();
    api::Finding finding{Judgement::good,
                         "access",
                         "paired: only peers that both sides have paired; here: " + std::to_string(pairs),
                         {}};
    if (pairs == 0) {
      finding.verdict = Judgement::warning;
      finding.text = "paired: and no peer is paired here";
      finding.fix = "'peerctl peers' lists who is there; 'peerctl pair PEER' here, and there";
    }
    findings.push_back(std::move(finding));
  } else {
    findings.push_back({Judgement::good, "access", "party: only peers that prove the party's key", {}});
    if (!options_.settings.access.judge_key) co_return findings;
    auto judge = [judge = options_.settings.access.judge_key](const runtime::StopFlag&) { return judge(); };
    const Result<std::string> key = co_await runtime::offload(*environment_.workers, std::move(judge), token);
    findings.push_back(
        key ? api::Finding{Judgement::good, "party key", *key, {}}
            : api::Finding{Judgement::bad, "party key", key.error().message, "mend the file, then restart peerd"});
  }
  co_return findings;
}

runtime::Task<Result<std::vector<api::Finding>>> PeerMain::diagnose(api::Diagnose, runtime::CancellationToken token) {
  std::vector<api::Finding> all;
  if (options_.judge_machine) {
    auto judge = [judge = options_.judge_machine](const runtime::StopFlag&) { return judge(); };
    all = co_await runtime::offload(*environment_.workers, std::move(judge), token);
  }
  const std::vector<api::Finding> access = co_await judge_access(token);
  all.insert(all.end(), access.begin(), access.end());
  for (const api::ServiceStatus& service : status().services) {
    if (service.state == "running") continue;
    all.push_back({Judgement::bad, "service " + service.name, service.state, "the log says why"});
  }
  for (const auto& game : library_->snapshot()->games) {
    if (game->state != library::GameState::unshareable || game->problems.empty()) continue;
    const library::Problem& first = game->problems.front();
    all.push_back({Judgement::warning, "game " + game->id,
                   "not shared: " + (first.path.empty() ? "" : first.path + ": ") + first.reason,
                   "'peerctl show " + game->id + "' lists all that is wrong with it"});
  }
  std::vector<api::Finding> disk = co_await judge_disk(token);
  all.insert(all.end(), disk.begin(), disk.end());
  const NetStats network = co_await net_stats(token);
  all.push_back(judge_socket(network.socket));
  all.push_back(judge_clock(environment_.wall_clock(), games()));
  std::ranges::copy(judge_discovery(), std::back_inserter(all));
  std::ranges::copy(judge_peers(), std::back_inserter(all));
  co_return all;
}

}  // namespace peer::node
