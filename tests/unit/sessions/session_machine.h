// The session state machine of one peer, with helpers that examine its actions: no executor, no channel.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libpeer/sessions/session_protocol.h"

namespace peer::test {

inline PeerId id_of(std::uint8_t number) {
  PeerId id;
  id.bytes[0] = number;
  return id;
}
inline protocol::GameSummary game_of(const std::string& id) {
  protocol::GameSummary game;
  game.id = id;
  game.size = 1;
  game.files = 1;
  return game;
}
inline protocol::LibraryUpdate snapshot_of(const std::vector<protocol::GameSummary>& games, std::uint64_t revision) {
  protocol::LibraryUpdate update;
  update.revision = revision;
  update.digest = protocol::library_digest(games);
  update.games = games;
  return update;
}

inline constexpr std::uint8_t kSelf = 5;

/// The machine of the peer kSelf, at a time that the test sets.
struct SessionMachine {
  std::unique_ptr<Random> random = seeded_random(1);
  sessions::PeerTable table;
  sessions::AccessLists access;
  sessions::SessionProtocol sessions;
  runtime::TimePoint now{std::chrono::hours(1)};
  sessions::SessionId last = 0;
  std::vector<sessions::SessionAction> actions;

  explicit SessionMachine(access::AccessMode mode = access::AccessMode::open)
      : access(id_of(kSelf), mode), sessions(options(), table, access) {}

  sessions::SessionProtocolOptions options() const {
    sessions::SessionProtocolOptions options;
    options.self = id_of(kSelf);
    options.name = "here";
    options.instance = "1";
    options.random = random.get();
    return options;
  }

  /// `dial` is 0 for a session that the peer dialed.
  sessions::SessionId open(std::uint8_t peer, std::uint64_t dial = 0, bool wanted = true) {
    sessions::Session session;
    session.peer = id_of(peer);
    session.remote = *net::SocketAddress::parse("10.0.0.9:24747");
    session.dial = dial;
    session.found_by = dial == 0 ? "inbound" : "static";
    sessions.on_opened(++last, std::move(session), wanted, now);
    return last;
  }
  protocol::Hello hello(std::uint8_t peer) const {
    protocol::Hello hello;
    hello.id = id_of(peer);
    hello.name = "there";
    hello.instance = "1";
    hello.revision = 1;
    hello.digest = protocol::library_digest({});
    return hello;
  }
  sessions::SessionId greet(std::uint8_t peer, std::uint64_t dial = 0) {
    const sessions::SessionId id = open(peer, dial);
    sessions.on_message(id, hello(peer), now);
    return id;
  }
  void receive(sessions::SessionId id, protocol::SessionMessage message) {
    sessions.on_message(id, std::move(message), now);
  }
  void check_liveness() {
    sessions.check_liveness([](const PeerId&) { return false; }, now);
  }

  /// The actions since the last call.
  const std::vector<sessions::SessionAction>& poll() {
    actions.clear();
    while (auto action = sessions.poll()) actions.push_back(std::move(*action));
    return actions;
  }
  /// Of the last poll(): messages of type M that were sent in the session.
  template <class M>
  std::vector<M> sent(sessions::SessionId id) const {
    std::vector<M> found;
    for (const sessions::SessionAction& action : actions) {
      const auto* send = std::get_if<sessions::SendMessage>(&action);
      if (send == nullptr || send->session != id) continue;
      if (const auto* message = std::get_if<M>(&send->message)) found.push_back(*message);
    }
    return found;
  }
  bool closed(sessions::SessionId id) const {
    return std::ranges::any_of(actions, [&](const sessions::SessionAction& action) {
      const auto* close = std::get_if<sessions::CloseSession>(&action);
      return close != nullptr && close->session == id;
    });
  }
  template <class A>
  std::vector<A> of() const {
    std::vector<A> found;
    for (const sessions::SessionAction& action : actions) {
      if (const auto* match = std::get_if<A>(&action)) found.push_back(*match);
    }
    return found;
  }
  std::vector<api::PeerEvent::Kind> events() const {
    std::vector<api::PeerEvent::Kind> kinds;
    for (const auto& report : of<sessions::ReportPeerEvent>()) kinds.push_back(report.event.kind);
    return kinds;
  }
};

template <class A>
bool is(const sessions::SessionAction& action) {
  return std::holds_alternative<A>(action);
}

using Kinds = std::vector<api::PeerEvent::Kind>;
using Kind = api::PeerEvent::Kind;

}  // namespace peer::test
