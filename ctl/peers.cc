#include "ctl/session.h"
#include "ctl/text/format.h"

namespace peer::ctl {
namespace {

std::string brief_id(const Json& peer) {
  return peer.at("peer_id").is_string() ? peer.at("peer_id").get<std::string>().substr(0, 12) : "-";
}

std::string label(const Json& peer) {
  const std::string name = plain(peer.value("name", ""));
  return name.empty() || name == brief_id(peer) ? brief_id(peer) : name + " (" + brief_id(peer) + ")";
}

Table table_of(const Json& peers) {
  Table table({{"NAME", false, true},
               {"PEER ID", false, false, 2},
               {"STATE"},
               {"GAMES", true, false, 3},
               {"RTT", true, false, 4},
               {"SEEN", true, false, 5},
               {"ADDRESS", false, false, 1}});
  for (const Json& peer : peers) {
    const Json& addresses = peer.at("addresses");
    const std::string state = peer.at("state");
    table.row({{peer.value("name", "")},
               {brief_id(peer)},
               {state, tone_of(state)},
               {peer.at("games").dump()},
               {peer.at("rtt_ms").is_number() ? human_rtt(peer.at("rtt_ms")) : "-"},
               {peer.at("last_seen_s").is_number() ? human_seconds(peer.at("last_seen_s")) + " ago" : "-"},
               {addresses.empty() ? "-" : addresses[0].get<std::string>()}});
  }
  return table;
}

}  // namespace

int run_peers(Session& session) {
  auto result = session.call("peers.list");
  if (!result) return session.fail(result.error());
  if (session.arguments.json) {
    session.print(*result);
  } else if (result->at("peers").empty()) {
    session.note("no peers");
  } else {
    session.say(table_of(result->at("peers")));
    for (const Json& peer : result->at("peers")) {
      if (peer.at("reason").is_string()) session.note(label(peer) + ": " + plain(peer.at("reason").get<std::string>()));
    }
  }
  return kDone;
}

int run_connect(Session& session) {
  const std::string& address = session.arguments.subject;
  auto peer = session.call("peers.connect", {{"address", address}});
  if (!peer) return session.fail(peer.error());
  const std::string state = peer->at("state");
  if (state == "refused" || state == "banned") return session.fail("refused", address + " is " + state);
  if (state != "connected")
    return session.fail("unreachable", address + " cannot be reached now; the daemon keeps trying");
  if (session.arguments.json) {
    session.print(*peer);
  } else {
    session.say("connected to " + label(*peer));
  }
  return kDone;
}

int run_ban(Session& session) {
  return session.show("peers.ban", {{"peer", session.arguments.subject}},
                      [&](const Json&) { return plain(session.arguments.subject) + " is banned"; });
}

int run_unban(Session& session) {
  return session.show("peers.unban", {{"peer", session.arguments.subject}},
                      [&](const Json&) { return plain(session.arguments.subject) + " is banned no more"; });
}

namespace {
int change_pairing(Session& session, const char* method, const char* done) {
  return session.show(method, {{"peer", session.arguments.subject}}, [&](const Json& pairing) {
    std::string text = label(pairing) + done;
    if (pairing.at("note").is_string()) text += "; " + plain(pairing.at("note").get<std::string>());
    return text;
  });
}
}  // namespace

int run_pair(Session& session) { return change_pairing(session, "peers.pair", " is paired here"); }

int run_unpair(Session& session) { return change_pairing(session, "peers.unpair", " is paired here no more"); }

int run_limit(Session& session) {
  Json params = Json::object();
  if (session.arguments.up) params["up"] = *session.arguments.up;
  if (session.arguments.down) params["down"] = *session.arguments.down;
  const auto text = [](const Json& rate) { return rate == 0 ? "no limit" : human_rate(rate.get<double>()); };
  return session.show(params.empty() ? "limits.get" : "limits.set", params, [&](const Json& limits) {
    return "up    " + text(limits.at("up")) + "\ndown  " + text(limits.at("down"));
  });
}

int run_disconnect(Session& session) {
  return session.show("peers.disconnect", {{"peer", session.arguments.subject}}, [&](const Json& end) {
    const std::string peer = plain(session.arguments.subject);
    std::string text = end.at("connected") == true ? "disconnected from " + peer : peer + " is dialled no more";
    if (end.at("note").is_string()) text += "; " + plain(end.at("note").get<std::string>());
    return text;
  });
}

}  // namespace peer::ctl
