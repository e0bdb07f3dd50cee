#include <utility>

#include "libpeer/api/peer.h"
#include "libpeer/api/test_hooks.h"
#include "libpeer/base/fault.h"
#include "libpeer/node/runtime_state.h"

namespace peer::node {

using namespace std::chrono_literals;

PeerMain::PeerMain(api::PeerOptions options, runtime::Channel<api::Command>& commands)
    : options_(std::move(options)),
      environment_(options_.environment),
      log_(options_.log.named("runtime")),
      commands_(commands),
      started_(environment_.control->executor().now()),
      inbox_stop_(endpoint_stop_.token()),
      serving_stop_(inbox_stop_.token()),
      services_stop_(serving_stop_.token()),
      stop_(services_stop_.token()),
      root_(std::make_unique<runtime::Scope>(*environment_.control, "runtime", endpoint_stop_.token())),
      kept_bans_(
          *environment_.store, *environment_.store_thread,
          [](store::Store& store, const PeerId& id, const sessions::Ban& ban) {
            return store.put_ban({id, ban.name, ban.reason});
          },
          [](store::Store& store, const PeerId& id) { return store.remove_ban(id); }),
      kept_pairings_(
          *environment_.store, *environment_.store_thread,
          [](store::Store& store, const PeerId& id, const std::string& name) { return store.put_pairing({id, name}); },
          [](store::Store& store, const PeerId& id) { return store.remove_pairing(id); }) {}

/// What a listener throws is its own failure: the runtime goes on, and so does its stop.
void PeerMain::emit(const api::Event& event) {
  counters_.count(event);
  if (!options_.on_event) return;
  try {
    PEER_FAULT_POINT("event");
    options_.on_event(event);
  } catch (const std::exception& e) {
    log_.error("a listener failed over the event " + std::string(event_name(event)) + ": " + e.what());
  }
}

void PeerMain::request_shutdown() {
  if (!stopping_.is_set()) log_.info("stopping");
  begin_stop();
}

void PeerMain::begin_stop() {
  if (stopping_.is_set()) return;
  emit(api::ShuttingDown{});
  if (downloads_) downloads_->fall_silent();
  stop_.request();
  stopping_.set();
}

void PeerMain::fail_runtime(const std::string& component, const std::string& error) {
  if (stopping_.is_set()) return;  // an error during shutdown is none of the runtime
  log_.service(component).error(component + " failed: " + error);
  failed_ = true;
  emit(api::RuntimeFailed{component, error});
  begin_stop();
}

runtime::Task<void> PeerMain::create_net_side() {
  auto create = [this](runtime::CancellationToken) -> runtime::Task<void> {
    net::EndpointOptions endpoint(options_.identity, environment_.net_random);
    endpoint.log = options_.log.named("quic");
    endpoint.admit = options_.network.admit;
    auto network = options_.make_network
                       ? options_.make_network(*environment_.net)
                       : endpoint_network(*environment_.net, std::move(options_.socket), std::move(endpoint));
    net_side_ =
        std::make_unique<NetSide>(environment_.net->executor(), std::move(network), options_.settings.access,
                                  options_.identity.id(), *environment_.disk, *environment_.workers, options_.log);
    return [](PeerMain& self) -> runtime::Task<void> {
      const net::SocketAddress local = self.net_side_->transport().local_address();
      self.listen_ = local.to_string();
      if (self.options_.network.addresses.empty() && !local.is_unspecified())
        self.options_.network.addresses.push_back(self.listen_);
      co_return;
    }(*this);
  };
  co_await runtime::call_on(*environment_.net, "open endpoint", std::move(create), runtime::CancellationToken());
  transport_ = &net_side_->transport();
  // Before anything is served. What is on its way to this loop arrives before the network side has ended.
  net_side_->seeder().on_changed([this](const std::string& game) {
    environment_.control->executor().post([this, game] {
      if (library_) library_->report_mismatch(game);
    });
  });
  co_await apply_limits(options_.settings.limits);
  if (api::TestHooks* hooks = environment_.test_hooks; hooks != nullptr) {
    net_side_->seeder().set_tamper([hooks](std::span<std::uint8_t> bytes) { hooks->tamper(bytes); });
  }
}

runtime::Task<void> PeerMain::destroy_net_side() {
  auto destroy = [this](runtime::CancellationToken) -> runtime::Task<void> {
    return [](PeerMain& self) -> runtime::Task<void> {
      self.net_side_.reset();
      co_return;
    }(*this);
  };
  co_await runtime::call_on(*environment_.net, "close endpoint", std::move(destroy), runtime::CancellationToken());
}

void PeerMain::create_parts(runtime::Scope& work) {
  library::LibraryOptions library_options;
  library_options.roots = options_.settings.roots;
  library_options.protected_trees = options_.settings.protected_trees;
  library_options.protected_files = options_.settings.protected_files;
  library_options.settle = options_.settings.settle;
  library_options.wall_clock = environment_.wall_clock;
  library_options.watcher = environment_.watcher;
  library_ = std::make_unique<library::Library>(*root_, *environment_.disk, *environment_.workers, *environment_.store,
                                                *environment_.store_thread, std::move(library_options),
                                                options_.log.named("library"));

  sessions::PeersOptions peers_options;
  peers_options.self = options_.identity.id();
  peers_options.name = options_.settings.name;
  peers_options.instance = options_.instance;
  peers_options.addresses = options_.network.addresses;
  peers_options.ping = options_.settings.ping;
  peers_options.lost = options_.settings.lost;
  peers_options.access = options_.settings.access.mode;
  peers_options.gate = &net_side_->gate();
  peers_options.transport = &net_side_->endpoint();
  peers_options.resolver = environment_.resolver;
  peers_options.random = environment_.random;
  peers_options.on_event = [this](const api::Event& event) {
    note_met(event);
    emit(event);
  };
  if (environment_.discovery != nullptr) {
    peers_options.look_again = [this](const PeerId& id) { environment_.discovery->resolve_again(id); };
  }
  peers_options.on_sources_changed = [this] { downloads_->sources_changed(); };
  peers_options.on_bans_changed = [this] { bans_changed_.set(); };
  peers_options.on_pairings_changed = [this] { pairings_changed_.set(); };
  peers_options.log = options_.log;
  peers_ = std::make_unique<sessions::Peers>(*root_, *environment_.net, std::move(peers_options));
  for (const std::string& address : options_.settings.peers) peers_->add_configured(address);

  downloads::DownloadsOptions downloads_options;
  downloads_options.context.net = environment_.net;
  downloads_options.context.workers = environment_.workers;
  downloads_options.context.transport = transport_;
  downloads_options.context.disk = environment_.disk;
  downloads_options.context.sources = &peers_->table();
  downloads_options.context.holdings = peers_.get();
  downloads_options.context.partial = &net_side_->seeder().partial();
  downloads_options.context.random = environment_.random;
  downloads_options.context.local = [this] { return library_->snapshot(); };
  downloads_options.context.on_wrong_chunk = [this](const PeerId& peer) { ++counters_.wrong_chunks[peer]; };
  downloads_options.context.on_liar = [this](const PeerId& peer, const std::string& reason) {
    peers_->ban(peer, reason);
  };
  downloads_options.context.down = &net_side_->down();
  downloads_options.context.root = options_.settings.roots.front();
  downloads_options.context.reserve = options_.settings.reserve;
  downloads_options.context.log = options_.log.named("transfer");
  downloads_options.table = &peers_->table();
  downloads_options.library = library_.get();
  downloads_options.store = environment_.store;
  downloads_options.store_thread = environment_.store_thread;
  downloads_options.wall_clock = environment_.wall_clock;
  downloads_options.parallel = options_.settings.parallel_downloads;
  downloads_options.automatic = options_.settings.automatic;
  downloads_options.on_event = [this](const api::Event& event) {
    const auto* download = std::get_if<api::DownloadEvent>(&event);
    if (download != nullptr && download->kind == api::DownloadEvent::Kind::finished)
      damaged_.erase(download->download.game);
    emit(event);
  };
  downloads_options.log = options_.log;
  downloads_ = std::make_unique<downloads::Downloads>(work, std::move(downloads_options));

  library_->on_change([this](bool offered) {
    offered_changed_ = offered_changed_ || offered;
    if (offered && downloads_) downloads_->sources_changed();  // a download may turn out to be done
    library_changed_.set();
    note_games_known();
  });
}

void PeerMain::note_games_known() {
  if (downloads_restored_ && library_->snapshot()->complete) games_known_.set();
}

runtime::Task<void> PeerMain::restore_downloads(runtime::CancellationToken token) {
  co_await downloads_->restore(std::move(token));
  downloads_restored_ = true;
  note_games_known();
}

/// Waits for a scope whose tasks' failures were reported already.
runtime::Task<void> PeerMain::join_reporting(runtime::Scope& scope) {
  try {
    co_await scope.join();
  } catch (const std::exception& e) {
    log_.debug(scope.name() + ": " + e.what());
  }
}

/// An exchange of directories that a crash cut in two is completed before anything looks at the library.
runtime::Task<void> PeerMain::repair_library() {
  auto repair = [disk = environment_.disk, root = options_.settings.roots.front()](const runtime::StopFlag&) {
    return staging::recover(*disk, root);
  };
  const auto repaired =
      co_await runtime::offload(*environment_.workers, std::move(repair), runtime::CancellationToken());
  if (!repaired) {
    log_.warn("an interrupted update could not be repaired: " + repaired.error().message);
    co_return;
  }
  for (const staging::UserFiles& files : *repaired) {
    if (const std::string kept = files.describe(); !kept.empty()) log_.info(kept);
  }
}

runtime::Task<void> PeerMain::run() {
  std::string error;
  try {
    co_await repair_library();
    co_await create_net_side();
  } catch (const std::exception& e) {
    error = e.what();
  }
  if (!error.empty()) {
    stop_without_network(error);
    co_return;
  }
  {
    runtime::Scope endpoint(*root_, "endpoint", endpoint_stop_.token());
    runtime::Scope work(*root_, "work", stop_.token());
    create_parts(work);
    runtime::Scope inbox(*root_, "sessions", inbox_stop_.token());
    runtime::Scope farewell(*root_, "farewell", inbox_stop_.token());
    runtime::Scope serving(*root_, "serving", serving_stop_.token());
    runtime::Scope required(*root_, "required services", services_stop_.token());
    runtime::Scope services(*root_, "services", services_stop_.token());
    co_await load_bans();
    co_await load_pairings();
    services.spawn("keep bans", keep_bans(services.token()));
    services.spawn("keep pairings", keep_pairings(services.token()));
    endpoint.spawn("endpoint",
                   run_on_network(
                       "endpoint", [this](runtime::CancellationToken t) { return net_side_->run(std::move(t)); },
                       endpoint.token()));
    inbox.spawn("inbox", run_inbox(inbox.token()));
    auto serve = [this](runtime::CancellationToken t) {
      return net_side_->serve(peers_->session_context(), std::move(t));
    };
    serving.spawn("serving", run_on_network("serving", std::move(serve), serving.token()));
    start_services(required, services);
    work.spawn("commands", run_commands(work, work.token()));
    work.spawn("restore downloads", restore_downloads(work.token()));
    work.spawn("automatic downloads", downloads_->keep_up_to_date(work.token()));
    if (!stopping_.is_set()) emit(api::RuntimeReady{});

    co_await stopping_.wait(runtime::CancellationToken());
    downloads_->fall_silent();
    farewell.spawn("goodbye", say_goodbye());
    co_await join_reporting(work);
    co_await downloads_->stop();
    work_over_.set();
    co_await join_reporting(farewell);
    services_stop_.request();
    co_await join_reporting(required);
    co_await join_reporting(services);
    serving_stop_.request();
    co_await join_reporting(serving);
    inbox_stop_.request();
    co_await join_reporting(inbox);
    downloads_.reset();
    endpoint_stop_.request();
    co_await join_reporting(endpoint);
    peers_.reset();
    library_.reset();
  }
  co_await destroy_net_side();
  root_.reset();
  log_.info("stopped");
}

void PeerMain::stop_without_network(const std::string& error) {
  fail_runtime("QuicServer", error);
  refuse_commands();
  root_.reset();
}

/// When the downloads have ended; a disk that does not let them end holds the goodbyes back only so long, and a network
/// that is dead does not use the time that closing needs.
runtime::Task<void> PeerMain::say_goodbye() {
  const runtime::CancellationToken never;
  co_await work_over_.wait_for(root_->executor(), options_.settings.shutdown_timeout / 5, never);
  auto goodbye = [this](runtime::CancellationToken t) { return peers_->say_goodbye(std::move(t)); };
  const bool taken = co_await runtime::with_timeout(root_->executor(), options_.settings.shutdown_timeout / 2,
                                                    std::move(goodbye), never);
  if (!taken) log_.debug("not every peer took the goodbye in time");
}

}  // namespace peer::node
