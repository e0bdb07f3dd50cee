#include "libpeer/node/node_parts.h"

#include <utility>

#include "libpeer/net/local_network.h"

namespace peer::node {

using namespace std::chrono_literals;

namespace {

constexpr runtime::Duration kRestartDelay = 5s;

/// The list as saved in the store, by peer.
template <class Value, class Stored, class Convert>
Result<std::map<PeerId, Value>> to_list(const Result<std::vector<Stored>>& stored, Convert convert) {
  if (!stored) return std::unexpected(stored.error());
  std::map<PeerId, Value> by_peer;
  for (const Stored& each : *stored) by_peer.insert_or_assign(each.peer, convert(each));
  return by_peer;
}

}  // namespace

NodeParts::NodeParts(NodeBase base, runtime::Scope& work)
    : base_(std::move(base)),
      library(base_.root, *base_.options.environment.disk, *base_.options.environment.workers,
              *base_.options.environment.store, *base_.options.environment.store_thread, library_options(),
              base_.options.log.named("library")),
      peers(base_.root, *base_.options.environment.net, peers_options()),
      downloads(work, downloads_options()),
      verifier(
          base_.root.executor(), *base_.options.environment.disk, *base_.options.environment.workers, library,
          downloads, base_.events, [this] { announcer.on_snapshot(false); }, base_.options.log.named("runtime")),
      games(base_.options, library, peers.table(), downloads, verifier, base_.net.state().transport()),
      readiness(library),
      bans(make_bans()),
      pairings(make_pairings()),
      services(base_.events, base_.options.environment.test_hooks, base_.failed, base_.options.log.named("runtime")),
      quic(base_.net),
      announcer(base_.options, base_.listener, library, peers, base_.net, base_.events),
      discovery(base_.options, base_.root, base_.listener, peers, services),
      status(base_.options, base_.listener, services, peers, library, downloads,
             RunningTasks(base_.root, *base_.options.environment.control, *base_.options.environment.net),
             base_.started) {
  for (const std::string& address : base_.options.settings.peers) peers.add_configured(address);
  library.on_change([this](bool offered) { on_library_change(offered); });
}

library::LibraryOptions NodeParts::library_options() const {
  const api::PeerSettings& settings = base_.options.settings;
  library::LibraryOptions options;
  options.roots = settings.roots;
  options.protected_trees = settings.protected_trees;
  options.protected_files = settings.protected_files;
  options.settle = settings.settle;
  options.wall_clock = base_.options.environment.wall_clock;
  options.watcher = base_.options.environment.watcher;
  return options;
}

sessions::PeersOptions NodeParts::peers_options() {
  const api::PeerOptions& own = base_.options;
  sessions::PeersOptions options;
  options.self = own.identity.id();
  options.name = own.settings.name;
  options.instance = own.instance;
  options.addresses = base_.listener.advertised();
  options.ping = own.settings.ping;
  options.lost = own.settings.lost;
  options.access = own.settings.access.mode;
  options.gate = &base_.net.state().gate();
  options.workers = own.environment.workers;
  options.transport = &base_.net.state().endpoint();
  options.resolver = own.environment.resolver;
  options.random = own.environment.random;
  options.on_event = [this](const api::Event& event) { on_peer_event(event); };
  if (own.environment.discovery != nullptr) {
    options.refresh_addresses = [discovery = own.environment.discovery](const PeerId& id) {
      discovery->resolve_again(id);
    };
  }
  if (own.network.list_interfaces) {
    auto list = [lister = own.network.list_interfaces]() -> Result<std::vector<net::InterfaceAddress>> {
      std::vector<net::InterfaceAddress> used;
      for (const api::LocalInterface& each : lister()) {
        if (each.used) used.push_back(each.address);
      }
      return used;
    };
    const auto network = std::make_shared<net::LocalNetwork>(std::move(list));
    options.is_on_link = [network](const net::SocketAddress& address, runtime::TimePoint now) {
      return network->contains(address, now);
    };
  }
  options.on_sources_changed = [this] { downloads.sources_changed(); };
  options.on_bans_changed = [this] { bans.request_apply(); };
  options.on_pairings_changed = [this] { pairings.request_apply(); };
  options.log = own.log;
  return options;
}

transfer::DownloadContext NodeParts::download_context() {
  const api::PeerEnvironment& environment = base_.options.environment;
  NetLoopState& net = base_.net.state();
  transfer::DownloadContext context;
  context.net = environment.net;
  context.workers = environment.workers;
  context.transport = &net.transport();
  context.disk = environment.disk;
  context.sources = &peers.table();
  context.holdings = &peers.holdings();
  context.partial = &net.seeder().partial();
  context.random = environment.random;
  context.local = [this] { return library.snapshot(); };
  context.on_wrong_chunk = [this](const PeerId& peer) { ++base_.events.counters().wrong_chunks[peer]; };
  context.on_liar = [this](const PeerId& peer, const std::string& reason) { peers.ban(peer, reason); };
  context.down = &net.down();
  context.root = base_.options.settings.roots.front();
  context.reserve = base_.options.settings.reserve;
  context.log = base_.options.log.named("transfer");
  return context;
}

downloads::DownloadsOptions NodeParts::downloads_options() {
  const api::PeerEnvironment& environment = base_.options.environment;
  downloads::DownloadsOptions options;
  options.context = download_context();
  options.table = &peers.table();
  options.library = &library;
  options.store = environment.store;
  options.store_thread = environment.store_thread;
  options.wall_clock = environment.wall_clock;
  options.parallel = base_.options.settings.parallel_downloads;
  options.automatic = base_.options.settings.automatic;
  options.on_event = [this](const api::Event& event) { on_download_event(event); };
  options.log = base_.options.log;
  return options;
}

AccessListStore<sessions::Ban> NodeParts::make_bans() {
  store::Store& store = *base_.options.environment.store;
  runtime::Workers& store_thread = *base_.options.environment.store_thread;
  AccessListStore<sessions::Ban>::ListBinding list;
  list.read = [&store] {
    return to_list<sessions::Ban>(store.bans(), [](const auto& ban) { return sessions::Ban{ban.name, ban.reason}; });
  };
  list.restore = [this](const PeerId& peer, const sessions::Ban& ban) { peers.restore_ban(peer, ban); };
  list.current = [this] { return peers.banned(); };
  list.tell_net = [this](std::set<PeerId> ids) { return base_.net.set_banned(std::move(ids)); };
  access::KeptList<sessions::Ban> stored(
      store, store_thread,
      [](store::Store& to, const PeerId& id, const sessions::Ban& ban) {
        return to.put_ban({id, ban.name, ban.reason});
      },
      [](store::Store& from, const PeerId& id) { return from.remove_ban(id); });
  return {"bans", std::move(list), std::move(stored), store_thread, base_.options.log.named("runtime")};
}

AccessListStore<std::string> NodeParts::make_pairings() {
  store::Store& store = *base_.options.environment.store;
  runtime::Workers& store_thread = *base_.options.environment.store_thread;
  AccessListStore<std::string>::ListBinding list;
  list.read = [&store] {
    return to_list<std::string>(store.pairings(), [](const auto& pairing) { return pairing.name; });
  };
  list.restore = [this](const PeerId& peer, const std::string& name) { peers.restore_pairing(peer, name); };
  list.current = [this] { return peers.paired(); };
  list.tell_net = [this](std::set<PeerId> ids) { return base_.net.set_paired(std::move(ids)); };
  access::KeptList<std::string> stored(
      store, store_thread,
      [](store::Store& to, const PeerId& id, const std::string& name) { return to.put_pairing({id, name}); },
      [](store::Store& from, const PeerId& id) { return from.remove_pairing(id); });
  return {"pairings", std::move(list), std::move(stored), store_thread, base_.options.log.named("runtime")};
}

void NodeParts::on_peer_event(const api::Event& event) {
  discovery.on_event(event);
  base_.events.emit(event);
}

void NodeParts::on_download_event(const api::Event& event) {
  const auto* download = std::get_if<api::DownloadEvent>(&event);
  const bool finished = download != nullptr && download->kind == api::DownloadEvent::Kind::finished;
  if (finished) verifier.forget(download->download.game);
  base_.events.emit(event);
}

void NodeParts::on_library_change(bool offered) {
  if (offered) downloads.sources_changed();  // a game that is being downloaded may turn out to be installed
  announcer.on_snapshot(offered);
  readiness.on_snapshot();
}

void NodeParts::start_services(runtime::Scope& required, runtime::Scope& restartable) {
  services.start(required, "QuicServer", runtime::Required{},
                 [this](runtime::CancellationToken t) { return quic.run(std::move(t)); });
  services.start(restartable, "Discovery", runtime::Restart{kRestartDelay},
                 [this](runtime::CancellationToken t) { return discovery.run(std::move(t)); });
  services.start(restartable, "Liveness", runtime::Restart{kRestartDelay},
                 [this](runtime::CancellationToken t) { return peers.run_liveness(std::move(t)); });
  services.start(restartable, "LocalMonitor", runtime::BestEffort{},
                 [this](runtime::CancellationToken t) { return library.run(std::move(t)); });

  const auto announcer_ended = [this](const runtime::ServiceExit& exit) {
    announcer.announce_again();
    if (!exit.error) return;
    base_.options.log.named("runtime").error("cannot announce the library: " + runtime::describe(exit.error));
  };
  runtime::spawn_supervised(
      restartable, "announce library", [this](runtime::CancellationToken t) { return announcer.run(std::move(t)); },
      runtime::Restart{kRestartDelay}, announcer_ended);
}

CommandHandlers NodeParts::make_handlers() {
  const api::PeerOptions& options = base_.options;
  Doctor doctor(options, base_.listener, services, library, games, peers, base_.net);
  Metrics metrics(status, library, downloads, base_.net, base_.events, base_.root.executor());
  GameRemover remover(options, library, downloads, verifier);
  return {GameCommands(library, games, verifier, std::move(remover), options.log.named("runtime")),
          DownloadCommands(downloads), PeerCommands(options.identity.id(), peers, bans, pairings),
          NodeCommands(status, base_.net, doctor, metrics, downloads, peers, options.environment.test_hooks)};
}

}  // namespace peer::node
