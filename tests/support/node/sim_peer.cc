#include "support/node/sim_peer.h"

#include <algorithm>

#include "libpeer/api/peer_builder.h"
#include "libpeer/node/service_faults.h"
#include "support/node/seeded_identity.h"
#include "support/run_task.h"

namespace peer::test {

using namespace std::chrono_literals;

namespace {
constexpr std::int64_t kFirstDay = 1'800'000'000'000'000'000;  // in 2027

/// Derives one seed for each use, so that no two random streams are equal.
std::uint64_t mix(std::uint64_t seed, std::string_view use) {
  return seed * 0x9e3779b97f4a7c15ULL ^ std::hash<std::string_view>{}(use);
}

struct Details {
  std::string operator()(const api::RuntimeFailed& event) const { return event.component + ": " + event.error; }
  std::string operator()(const api::ServiceRestarted& event) const { return event.component; }
  std::string operator()(const api::PeerEvent& event) const { return event.name; }
  std::string operator()(const api::DownloadEvent& event) const {
    return event.download.game + " " + std::to_string(event.download.bytes_done) + "/" +
           std::to_string(event.download.bytes_total) +
           (event.download.error ? " " + event.download.error->message : "");
  }
  template <class E>
  std::string operator()(const E&) const {
    return {};
  }
};

runtime::Task<void> watch(runtime::Task<api::RuntimeExit> end, api::RuntimeExit& exit, bool& stopped) {
  exit = co_await end;
  stopped = true;
}
}  // namespace

SimWorld::SimWorld(std::uint64_t s) : network(executor, mix(s, "network")), seed(s) {}
SimWorld::~SimWorld() = default;

std::int64_t SimWorld::wall_clock() const {
  return kFirstDay + std::chrono::duration_cast<std::chrono::nanoseconds>(executor.now().time_since_epoch()).count();
}

bool SimWorld::run_until(const std::function<bool()>& done, runtime::Duration limit) {
  const runtime::TimePoint end = executor.now() + limit;
  executor.run_ready();
  while (!done()) {
    if (executor.now() >= end) return false;
    executor.advance(1ms);
  }
  return true;
}

SimPeer::SimPeer(SimWorld& world, std::string peer_name, const std::string& ip)
    : resolver(world.executor),
      name(std::move(peer_name)),
      address(ip + ":" + std::to_string(net::kDefaultPort)),
      world_(world),
      seed_(mix(world.seed, name)),
      identity_(seeded_identity(mix(seed_, "identity"))),
      random_(seeded_random(mix(seed_, "random"))) {
  disk.set_clock([&world] { return world.wall_clock(); });
  disk.make_directories("/library");
  workers_ = std::make_unique<runtime::ManualWorkers>(world.executor, mix(seed_, "workers"), 2ms);
  store_thread_ = std::make_unique<runtime::ManualWorkers>(world.executor, mix(seed_, "store"), 0s);
  store_ = std::move(*store::open_sqlite_store(":memory:", Log()));
  failing_store_ = std::make_unique<FailingStore>(*store_);
}

SimPeer::~SimPeer() { stop(); }

void SimPeer::crash(std::uint64_t seed) {
  const auto host = *net::SocketAddress::parse(address);
  world_.network.cut(host);
  disk.power_cut(seed);
  stop();
  events_.clear();
  world_.network.restore(host);
}

void SimPeer::stop() {
  if (!stopped_) {
    if (handle_) request_shutdown();
    world_.run_until([this] { return stopped_; }, 10s);
  }
  if (!scope_) return;
  // Tasks that overran the shutdown must end before the test does.
  end_of_hang_.set();
  world_.run_until([this] { return scope_->empty(); }, 1min);
  run_sync(world_.executor, scope_->join());
  handle_.reset();
  scope_.reset();
}

void SimPeer::start(Options options) {
  never_ = std::make_unique<runtime::CancellationSource>();
  scope_ = std::make_unique<runtime::Scope>(world_.executor, name, never_->token());
  api::PeerSettings settings;
  settings.name = name;
  settings.roots = options.roots;
  settings.automatic = options.automatic;
  settings.access = options.access;
  settings.settle = options.settle;
  settings.peers = options.peers;
  settings.ping = options.ping;
  settings.lost = options.lost;
  settings.shutdown_timeout = options.shutdown_timeout;
  settings.parallel_downloads = options.parallel;
  settings.reserve = 0;
  api::MachineNetwork network;
  network.list_interfaces = options.list_interfaces;
  network.can_listen = options.can_listen;
  Log log([this](LogLevel level, std::string_view, const std::string& line,
                 const LogFields&) { log_.emplace_back(level, line); },
          "sim");
  api::PeerBuilder peer(identity_, std::move(settings));
  peer.loops(*scope_, *scope_).threads(*workers_, *store_thread_).random(*random_, *random_).resolver(resolver);
  peer.storage(options.disk != nullptr ? *options.disk : disk, *failing_store_);
  peer.clock([this] { return world_.wall_clock(); }).discovery(options.discovery, options.network);
  peer.listen(world_.network.bind(*net::SocketAddress::parse(address))).network(options.make_network);
  peer.machine(std::move(network)).instance(std::to_string(++starts_)).log(std::move(log));
#if PEERD_TEST_HOOKS
  hooks_ = std::make_unique<node::ServiceFaults>(options.tamper, &end_of_hang_);
  peer.test_hooks(hooks_.get());
#endif
  peer.on_event([this](const api::Event& event) {
    const auto now =
        std::chrono::duration_cast<std::chrono::milliseconds>(world_.executor.now().time_since_epoch()).count();
    events_.emplace_back(api::event_name(event));
    world_.trace.push_back(std::to_string(now) + " " + name + " " + events_.back() + " " +
                           std::visit(Details{}, event));
  });
  stopped_ = false;
  exit_ = {};
  end_of_hang_.reset();
  handle_ = peer.start();
  scope_->spawn("watch", watch(handle_->wait_stopped(never_->token()), exit_, stopped_));
}

std::size_t SimPeer::logged(LogLevel level, std::string_view text) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(log_, [&](const auto& each) { return each.first == level && each.second.contains(text); }));
}

std::size_t SimPeer::count(std::string_view event) const {
  return static_cast<std::size_t>(std::ranges::count(events_, event));
}

std::size_t SimPeer::tasks(std::string_view task_name) const {
  std::size_t count = 0;
  const auto visit = [&](const std::string& task, const std::string&) { count += task == task_name ? 1 : 0; };
  if (scope_) scope_->visit(visit);
  return count;
}

}  // namespace peer::test
