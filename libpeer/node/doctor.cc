#include "libpeer/node/doctor.h"

#include <algorithm>
#include <utility>

#include "libpeer/node/doctor_checks.h"
#include "libpeer/node/speed_probe.h"

namespace peer::node {

namespace {
using Verdict = api::FindingVerdict;
}

runtime::Task<Doctor::Findings> Doctor::check_disk(runtime::CancellationToken token) const {
  const api::PeerEnvironment& environment = options_.environment;
  const runtime::Executor& executor = environment.control->executor();
  const std::string root = options_.settings.roots.front();
  const std::uint64_t reserve = options_.settings.reserve;
  auto duplicates = [disk = environment.disk, roots = options_.settings.roots](const runtime::StopFlag&) {
    return find_duplicate_games(*disk, roots);
  };
  Findings findings = co_await runtime::offload(*environment.workers, std::move(duplicates), token);

  auto write = [disk = environment.disk, root, reserve](const runtime::StopFlag& stop) {
    return probe_disk(*disk, root, reserve, stop);
  };
  runtime::TimePoint began = executor.now();
  const Result<DiskProbe> disk = co_await runtime::offload(*environment.workers, std::move(write), token);
  if (!disk) {
    findings.push_back(judge_disk_error(disk.error(), root));
    co_return findings;
  }
  findings.push_back(judge_space(disk->space, root, reserve));
  if (disk->written > 0) {
    findings.push_back(judge_speed("disk", disk->written, executor.now() - began,
                                   "this limits downloads: use a faster disk for the first library root"));
  }
  auto hash = [](const runtime::StopFlag& stop) { return probe_hash(stop); };
  began = executor.now();
  const std::uint64_t hashed = co_await runtime::offload(*environment.workers, std::move(hash), token);
  findings.push_back(
      judge_speed("hashing", hashed, executor.now() - began, "this limits downloads: the processor is busy or slow"));
  co_return findings;
}

Doctor::Findings Doctor::check_discovery() const {
  if (!listener_.is_present()) {
    return {{Verdict::bad, "network", listener_.missing_text(),
             "wait for it (DHCP may be late), or change network.listen and restart peerd"}};
  }
  if (options_.environment.discovery == nullptr) {
    return {{Verdict::good,
             "mDNS",
             "off: peers are found by network.peers, through other peers, and when they connect",
             {}}};
  }
  Findings findings;
  const std::string& problem = services_.problem("Discovery");
  if (!problem.empty()) {
    findings.push_back({Verdict::bad, "discovery", problem, "meanwhile, name peers yourself: peerctl connect HOST"});
  }
  if (!listener_.lists_interfaces()) return findings;
  std::ranges::copy(judge_interfaces(listener_.interfaces(), peers_.list(), problem), std::back_inserter(findings));
  return findings;
}

runtime::Task<Doctor::Findings> Doctor::check_access(runtime::CancellationToken token) const {
  const access::Access& access = options_.settings.access;
  Findings findings{judge_access_mode(access.mode, peers_.paired().size())};
  if (access.mode != access::AccessMode::party || !access.judge_key) co_return findings;
  auto judge = [judge = access.judge_key](const runtime::StopFlag&) { return judge(); };
  const Result<std::string> key =
      co_await runtime::offload(*options_.environment.workers, std::move(judge), std::move(token));
  if (key) {
    findings.push_back({Verdict::good, "party key", *key, {}});
  } else {
    findings.push_back({Verdict::bad, "party key", key.error().message, "correct the file, then restart peerd"});
  }
  co_return findings;
}

void Doctor::check_services(Findings& findings) const {
  for (const api::ServiceStatus& service : services_.list()) {
    if (service.state == "running") continue;
    findings.push_back({Verdict::bad, "service " + service.name, service.state, "see the log for the reason"});
  }
}

void Doctor::check_games(Findings& findings) const {
  for (const auto& game : library_.snapshot()->games) {
    if (game->state != library::GameState::unshareable || game->problems.empty()) continue;
    const library::Problem& first = game->problems.front();
    findings.push_back({Verdict::warning, "game " + game->id,
                        "not shared: " + (first.path.empty() ? "" : first.path + ": ") + first.reason,
                        "'peerctl show " + game->id + "' lists all its problems"});
  }
}

runtime::Task<Result<std::vector<api::Finding>>> Doctor::diagnose(runtime::CancellationToken token) const {
  Findings all;
  if (options_.judge_machine) {
    auto judge = [judge = options_.judge_machine](const runtime::StopFlag&) { return judge(); };
    all = co_await runtime::offload(*options_.environment.workers, std::move(judge), token);
  }
  const auto append = [&all](const Findings& more) { all.insert(all.end(), more.begin(), more.end()); };
  const Findings access = co_await check_access(token);
  append(access);
  check_services(all);
  check_games(all);
  const Findings disk = co_await check_disk(token);
  append(disk);
  const NetStats network = co_await net_.stats();
  all.push_back(judge_socket(network.socket));
  all.push_back(judge_clock(options_.environment.wall_clock(), games_.list()));
  append(check_discovery());
  append(judge_peers(peers_.list(), options_.settings.access.mode));
  co_return all;
}

}  // namespace peer::node
