#include "libpeer/sessions/peers.h"

#include <utility>

#include "libpeer/base/fault.h"
#include "libpeer/runtime/defer.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/runtime/with_scope.h"
#include "libpeer/sessions/log_limit.h"
#include "libpeer/sessions/peer_list.h"

namespace peer::sessions {

using namespace std::chrono_literals;

namespace {
constexpr runtime::Duration kCatalogueDebounce = 100ms;
/// How many reports are handled, and for how long, before other tasks of the loop get a turn.
constexpr int kReportsPerTurn = 64;
constexpr runtime::Duration kTurn = 5ms;

/// Lets the other tasks of the loop run.
runtime::Task<void> yield_turn(runtime::Executor& executor, runtime::CancellationToken token) {
  const auto turn = std::make_shared<runtime::Event>();
  executor.post([turn] { turn->set(); });
  co_await turn->wait(std::move(token));
}

SessionId session_of(const SessionReport& report) {
  return std::visit([](const auto& each) { return each.session; }, report);
}

PeersOptions with_limited_log(PeersOptions options, const runtime::Executor& executor) {
  options.log = limit_peer_lines(std::move(options.log), [&executor] { return executor.now(); });
  return options;
}

DialerOptions dialer_options(const PeersOptions& options, std::function<void(const PeerDenial&)> on_denied) {
  DialerOptions result;
  result.transport = options.transport;
  result.on_denied = std::move(on_denied);
  result.log = options.log;
  return result;
}

SessionContext make_session_context(runtime::Scope& net, runtime::Channel<SessionReport>::Sender reports,
                                    const PeersOptions& options) {
  SessionContext context(&net, std::move(reports), options.gate);
  context.workers = options.workers;
  return context;
}

TargetDialerOptions target_dialer_options(const PeersOptions& options) {
  TargetDialerOptions result;
  result.resolver = options.resolver;
  result.random = options.random;
  result.refresh_addresses = options.refresh_addresses;
  result.log = options.log;
  return result;
}
}  // namespace

Peers::Peers(runtime::Scope& control, runtime::Scope& net, PeersOptions options)
    : control_(control),
      options_(with_limited_log(std::move(options), control.executor())),
      inbox_(control.executor(), kMaxUnhandledFramesInAll),
      access_(options_.self, options_.access),
      sessions_(options_, table_, access_),
      links_([this](SessionId id) { sessions_.on_stalled(id); }),
      dialer_(net, make_session_context(net, inbox_.sender(), options_), access_,
              dialer_options(options_, [this](const PeerDenial& denial) { on_denied(denial); })),
      targets_(options_.self, table_),
      target_dialer_(control.executor(), access_, table_, dialer_, targets_, target_dialer_options(options_)),
      exchange_(control.executor(), sessions_, links_, table_, access_, dialer_, options_.log),
      holdings_(control.executor(), sessions_, links_, table_, [this] { options_.on_sources_changed(); }),
      reprobe_(control.executor(), sessions_, table_, targets_, dialer_, options_.refresh_addresses, options_.log),
      access_commands_(access_, sessions_, table_, targets_, exchange_, options_.log) {}

std::vector<api::PeerInfo> Peers::list() const {
  return list_peers(table_, access_, targets_, control_.executor().now());
}

runtime::Task<void> Peers::run_inbox(runtime::CancellationToken token) {
  const auto receive = [this](runtime::Scope& scope) { return receive_reports(scope); };
  co_await runtime::with_scope(control_, "peers", receive, token);
}

runtime::Task<void> Peers::receive_reports(runtime::Scope& scope) {
  scope.spawn("catalogue", announce_catalogue(scope.token()));
  scope.spawn("exchange", exchange_.run_sharing(scope.token()));
  scope.spawn("holdings", holdings_.run(scope.token()));
  dialer_.start(scope);
  const runtime::Defer stop([this] { dialer_.stop(); });
  targets_.changed().set();
  runtime::Executor& executor = control_.executor();
  runtime::TimePoint began = executor.now();
  int handled = 0;
  while (auto report = co_await inbox_.receive(scope.token())) {
    PEER_FAULT_POINT("inbox");
    on_report(std::move(*report));
    if (++handled < kReportsPerTurn && executor.now() - began < kTurn) continue;
    co_await yield_turn(executor, scope.token());
    began = executor.now();
    handled = 0;
  }
}

runtime::Task<void> Peers::run_liveness(runtime::CancellationToken token) {
  const auto is_target = [this](const PeerId& id) { return targets_.contains(id); };
  for (;;) {
    co_await runtime::sleep_for(control_.executor(), sessions_.liveness_interval(), token);
    sessions_.check_liveness(is_target, control_.executor().now());
    carry_out_actions();
  }
}

runtime::Task<void> Peers::run_static(runtime::CancellationToken token) {
  const auto dial = [this](runtime::Scope& scope) {
    scope.spawn("hints", exchange_.run_hints(scope));
    return target_dialer_.run(scope);
  };
  co_await runtime::with_scope(control_, "Discovery", dial, token);
}

/// Reports one event for a burst of changes.
runtime::Task<void> Peers::announce_catalogue(runtime::CancellationToken token) {
  for (;;) {
    co_await catalogue_dirty_.wait(token);
    co_await runtime::sleep_for(control_.executor(), kCatalogueDebounce, token);
    catalogue_dirty_.reset();
    options_.on_event(api::GamesUpdated{});
  }
}

/// A failure ends the session that sent the report, and nothing else.
void Peers::on_report(SessionReport report) {
  const SessionId id = session_of(report);
  try {
    if (auto* opened = std::get_if<SessionOpened>(&report)) {
      on_opened(std::move(*opened));
    } else if (auto* received = std::get_if<SessionReceived>(&report)) {
      if (sessions_.find(id) == nullptr) return;
      PEER_FAULT_POINT("session message");
      sessions_.on_message(id, std::move(received->message), control_.executor().now());
    } else if (const auto* closed = std::get_if<SessionClosed>(&report)) {
      on_closed(*closed);
    } else if (const auto* denied = std::get_if<SessionDenied>(&report)) {
      sessions_.on_turned_away(*denied, control_.executor().now());
    }
    carry_out_actions();
  } catch (const std::exception& e) {
    options_.log.error("session closed: handling its message failed: " + std::string(e.what()));
    sessions_.close(id);
    carry_out_actions();
  }
}

void Peers::on_opened(SessionOpened opened) {
  Session session;
  session.peer = opened.peer;
  session.remote = opened.remote;
  session.dial = opened.dial;
  session.found_by = "inbound";
  bool wanted = true;
  dialer_.on_opened(opened.dial);
  if (const Dial* dial = dialer_.find(opened.dial)) {
    session.found_by = dial->found_by;
    wanted = !dial->dropped;
  }
  links_.add(opened.session, std::move(opened.out));
  sessions_.on_opened(opened.session, std::move(session), wanted, control_.executor().now());
}

void Peers::on_closed(const SessionClosed& closed) {
  sessions_.on_closed(closed.session, closed.reason);
  links_.remove(closed.session);
  exchange_.on_closed(closed.session);
  holdings_.on_closed(closed.session);
}

void Peers::on_denied(const PeerDenial& denial) {
  sessions_.on_denied(denial, control_.executor().now());
  carry_out_actions();
}

void Peers::carry_out_actions() {
  const auto visit = [this](auto& action) { carry_out(std::move(action)); };
  while (auto action = sessions_.poll()) std::visit(visit, *action);
}

void Peers::carry_out(SendMessage action) {
  if (action.urgent) {
    links_.send_urgent(action.session, std::move(action.message));
  } else {
    links_.send(action.session, std::move(action.message));
  }
}

void Peers::carry_out(const DialAnswered& action) {
  dialer_.on_answered(action.dial, control_.executor().now());
  if (const Dial* dial = dialer_.find(action.dial)) targets_.on_answered(*dial, action.peer);
}

void Peers::carry_out(const PeerGreeted& action) {
  PeerEntry* const entry = table_.find(action.peer);
  if (entry == nullptr) return;
  targets_.on_greeted(*entry);
  if (access_.note_name(entry->id, entry->name)) options_.on_pairings_changed();
}

void Peers::carry_out(const SessionReady& action) {
  exchange_.on_connected();
  holdings_.on_ready(action.session);
}

void Peers::carry_out(const ExchangeReceived& action) {
  const Session* const session = sessions_.find(action.session);
  if (session == nullptr) return;
  if (const auto* hints = std::get_if<protocol::PeerHints>(&action.message)) {
    exchange_.on_hints(action.session, *session, *hints);
  } else if (const auto* holdings = std::get_if<protocol::Holdings>(&action.message)) {
    holdings_.on_holdings(action.session, *session, *holdings);
  } else if (const auto* end = std::get_if<protocol::HoldingsEnd>(&action.message)) {
    holdings_.on_holdings_end(action.session, *session, *end);
  }
}

void Peers::carry_out(const LibraryReceived& action) {
  if (const Session* session = sessions_.find(action.session)) holdings_.on_library(action.session, *session);
}

void Peers::carry_out(const CatalogueChanged&) {
  catalogue_dirty_.set();
  options_.on_sources_changed();
}

void Peers::network_changed(std::vector<std::string> addresses) {
  sessions_.set_addresses(std::move(addresses));
  targets_.retry_all();
  reprobe_.on_network_changed([this] {
    auto probed = sessions_.probe(control_.executor().now());
    carry_out_actions();
    return probed;
  });
}

void Peers::set_library(const std::vector<protocol::GameSummary>& games) {
  if (!sessions_.set_library(games)) return;
  carry_out_actions();
  holdings_.on_offered(games);
}

runtime::Task<Result<api::PeerInfo>> Peers::connect(std::string address, runtime::CancellationToken token) {
  const Result<PeerId> peer = co_await target_dialer_.connect(std::move(address), std::move(token));
  if (!peer) co_return std::unexpected(peer.error());
  co_return peer_info(*table_.find(*peer), access_, control_.executor().now());
}

Result<api::Disconnected> Peers::disconnect(const std::string& peer) {
  const Result<PeerId> known = table_.resolve(peer);
  // A static peer that has not answered yet has no id and no session, but it is dialed.
  if (!known && known.error().code != ErrorCode::unreachable) return std::unexpected(known.error());
  const std::optional<PeerId> id = known ? std::optional(*known) : std::nullopt;
  const PeerEntry* const entry = id ? table_.find(*id) : nullptr;
  const std::string name = entry != nullptr ? entry->name : peer;
  const DroppedTargets targets = targets_.drop(peer, id);
  for (const std::uint64_t dial : targets.dials) sessions_.close_dialed(dial);
  api::Disconnected result;
  result.dropped = targets.dropped;
  result.connected = id && sessions_.disconnect(*id);
  if (targets.configured) {
    result.note = name + " will be dialed again: network.peers or --peer names it. Remove it there, and restart peerd";
  } else if (targets.on_mdns) {
    result.note = name + " will be dialed again: mDNS finds it. 'peerctl ban " + id->brief() + "' keeps it away";
  }
  carry_out_actions();
  targets_.notify();
  if (result.connected || result.dropped) return result;
  return fail(ErrorCode::invalid, name + " is not connected" + (targets.configured ? "; " + result.note : ""));
}

void Peers::ban(const PeerId& peer, const std::string& reason, const std::string& name) {
  if (!access_commands_.ban(peer, reason, name)) return;
  carry_out_actions();
  options_.on_bans_changed();
}

Result<void> Peers::unban(const std::string& peer) {
  const Result<void> lifted = access_commands_.unban(peer);
  if (lifted) options_.on_bans_changed();
  return lifted;
}

Result<api::Pairing> Peers::unpair(const std::string& peer) {
  const Result<api::Pairing> pairing = access_commands_.unpair(peer);
  carry_out_actions();
  return pairing;
}

void Peers::dial_paired(const PeerId& peer) {
  targets_.retry(peer);
  targets_.notify();
}

runtime::Task<void> Peers::say_goodbye(runtime::CancellationToken token) {
  sessions_.leave();
  dialer_.refuse_dials();
  carry_out_actions();
  co_await links_.wait_empty(std::move(token));
}

}  // namespace peer::sessions
