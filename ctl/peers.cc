// peers, connect, disconnect, pair, unpair, ban, unban, limit: the network.
#include "ctl/invocation.h"
#include "ctl/text/format.h"

namespace peer::ctl {
namespace {

std::string brief_id(const Json& peer) {
  return peer.at("peer_id").is_string() ? peer.at("peer_id").get<std::string>().substr(0, 12) : "-";
}

std::string label(const Json& peer) {
  const std::string name = printable(peer.value("name", ""));
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

int run_peers(Invocation& invocation) {
  auto result = invocation.call("peers.list");
  if (!result) return invocation.fail(result.error());
  if (invocation.arguments.json) {
    invocation.print_json(*result);
  } else if (result->at("peers").empty()) {
    invocation.note("no peers");
  } else {
    invocation.print_text(table_of(result->at("peers")));
    for (const Json& peer : result->at("peers")) {
      if (peer.at("reason").is_string())
        invocation.note(label(peer) + ": " + printable(peer.at("reason").get<std::string>()));
    }
  }
  return kDone;
}

int run_connect(Invocation& invocation) {
  const std::string& address = invocation.arguments.subject;
  auto peer = invocation.call("peers.connect", {{"address", address}});
  if (!peer) return invocation.fail(peer.error());
  const std::string state = peer->at("state");
  if (state == "refused" || state == "banned") return invocation.fail("refused", address + " is " + state);
  if (state != "connected") return invocation.fail("unreachable", address + " is unreachable; the daemon keeps trying");
  if (invocation.arguments.json) {
    invocation.print_json(*peer);
  } else {
    invocation.print_text("connected to " + label(*peer));
  }
  return kDone;
}

int run_ban(Invocation& invocation) {
  return invocation.call_and_print("peers.ban", {{"peer", invocation.arguments.subject}},
                                   [&](const Json&) { return "banned " + printable(invocation.arguments.subject); });
}

int run_unban(Invocation& invocation) {
  return invocation.call_and_print("peers.unban", {{"peer", invocation.arguments.subject}},
                                   [&](const Json&) { return "unbanned " + printable(invocation.arguments.subject); });
}

namespace {
int change_pairing(Invocation& invocation, const char* method, const char* done) {
  return invocation.call_and_print(method, {{"peer", invocation.arguments.subject}}, [&](const Json& pairing) {
    std::string text = done + label(pairing);
    if (pairing.at("note").is_string()) text += "; " + printable(pairing.at("note").get<std::string>());
    return text;
  });
}
}  // namespace

int run_pair(Invocation& invocation) { return change_pairing(invocation, "peers.pair", "paired with "); }

int run_unpair(Invocation& invocation) { return change_pairing(invocation, "peers.unpair", "unpaired "); }

int run_limit(Invocation& invocation) {
  Json params = Json::object();
  if (invocation.arguments.limit.up) params["up"] = *invocation.arguments.limit.up;
  if (invocation.arguments.limit.down) params["down"] = *invocation.arguments.limit.down;
  const auto text = [](const Json& rate) { return rate == 0 ? "no limit" : human_rate(rate.get<double>()); };
  return invocation.call_and_print(params.empty() ? "limits.get" : "limits.set", params, [&](const Json& limits) {
    return "up    " + text(limits.at("up")) + "\ndown  " + text(limits.at("down"));
  });
}

int run_disconnect(Invocation& invocation) {
  return invocation.call_and_print("peers.disconnect", {{"peer", invocation.arguments.subject}}, [&](const Json& end) {
    const std::string peer = printable(invocation.arguments.subject);
    std::string text = end.at("connected") == true ? "disconnected from " + peer : "no longer dialing " + peer;
    if (end.at("note").is_string()) text += "; " + printable(end.at("note").get<std::string>());
    return text;
  });
}

}  // namespace peer::ctl
