// What a person says of whom to dial: connect and disconnect.
#include <algorithm>
#include <utility>

#include "libpeer/runtime/sleep.h"
#include "libpeer/sessions/peers.h"

namespace peer::sessions {

using namespace std::chrono_literals;

namespace {
constexpr runtime::Duration kConnectAnswer = 10s;

/// "den" and "den:24747" are one.
bool same_place(const std::string& one, const std::string& other) {
  if (one == other) return true;
  const auto a = net::parse_host_port(one);
  const auto b = net::parse_host_port(other);
  return a && b && *a == *b;
}
}  // namespace

const Peers::Target* Peers::static_target(const std::string& address) const {
  const auto found = std::ranges::find_if(targets_, [&](const auto& each) {
    return each->found_by == "static" && !each->gone && same_place(each->address, address);
  });
  return found == targets_.end() ? nullptr : found->get();
}

/// Whom a static peer's address led to.
std::optional<PeerId> Peers::static_id(const std::string& address) const {
  const Target* target = static_target(address);
  return target == nullptr ? std::nullopt : target->id;
}

/// Or finds it; also one that was dropped and has not ended yet.
std::shared_ptr<Peers::Target> Peers::add_static(const std::string& address) {
  auto found = std::ranges::find_if(
      targets_, [&](const auto& each) { return each->found_by == "static" && same_place(each->address, address); });
  if (found == targets_.end()) {
    found = targets_.insert(targets_.end(), std::make_shared<Target>());
    (*found)->found_by = "static";
    (*found)->address = address;
    const auto where = net::parse_host_port(address);
    const auto literal = where ? net::literal_address(where->host, where->port) : std::nullopt;
    if (literal) (*found)->resolved = {*literal};
  }
  Target& target = **found;
  if (std::exchange(target.gone, false)) {
    target.address = address;
    target.id.reset();
    target.error.clear();
    target.state = api::PeerState::connecting;
    if (std::exchange(target.ended, false)) target.started = false;
  }
  targets_changed_.set();
  return *found;
}

void Peers::add_configured(const std::string& address) { add_static(address)->configured = true; }

/// It is dialled no more, and no session comes of an attempt that is under way.
void Peers::drop(Target& target) {
  target.gone = true;
  target.kick.set();
  if (const std::shared_ptr<Dial> dial = target.dial; dial && !dial->greeted) {
    dial->dropped = true;
    for (auto& [id, session] : sessions_) {
      if (session.dial == dial->number) close(id);
    }
  }
}

runtime::Task<Result<api::PeerInfo>> Peers::connect(std::string address, runtime::CancellationToken token) {
  const Result<net::HostPort> where = net::parse_host_port(address);
  if (!where) co_return std::unexpected(where.error());
  runtime::Deadline deadline(control_.executor(), kConnectAnswer, token);
  // A name that leads nowhere is most often a typing error, and nothing to dial from now on.
  Result<std::vector<net::SocketAddress>> resolved =
      fail(ErrorCode::unreachable, "the look-up of \"" + where->host + "\" took too long");
  try {
    resolved = co_await options_.resolver->resolve(where->host, where->port, deadline.token());
  } catch (const runtime::Cancelled&) {
    if (token.requested()) throw;
  }
  if (!resolved) {
    co_return fail(resolved.error().code, resolved.error().message + "; give another name, or its address");
  }
  const std::shared_ptr<Target> target = add_static(address);  // held: it may be dropped meanwhile
  bool asked = false;
  while (!connected(*target) && !target->gone && !deadline.expired()) {
    // A session that ends just now says nothing about the next one.
    const bool ending = target->dial && (target->dial->greeted || target->dial->dropped);
    if (!ending && !std::exchange(asked, true)) {
      target->state = api::PeerState::connecting;
      target->kick.set();
    }
    if (asked && target->state != api::PeerState::connecting) break;
    try {
      co_await changed_.wait(deadline.token());
    } catch (const runtime::Cancelled&) {
      if (token.requested()) throw;
    }
  }
  if (target->gone) co_return fail(ErrorCode::cancelled, address + " was disconnected while it was being dialled");
  if (connected(*target)) co_return info(*table_.find(*target->id));
  if (target->id == options_.self && !target->configured) drop(*target);
  if (target->state == api::PeerState::refused)
    co_return fail(ErrorCode::refused, address + " refused: " + target->error);
  const std::string why = target->error.empty() ? "" : " (" + target->error + ")";
  co_return fail(ErrorCode::unreachable, address + " does not answer" + why +
                                             "; it is dialled again from time to time, until 'peerctl disconnect " +
                                             address + "'");
}

Result<api::Disconnected> Peers::disconnect(const std::string& peer) {
  const Result<PeerId> known = table_.resolve(peer);
  // A static peer that has not answered yet has no session, but it is dialled.
  if (!known && known.error().code != ErrorCode::unreachable) return std::unexpected(known.error());
  const Target* const named = static_target(peer);
  api::Disconnected result;
  bool configured = false;
  bool on_mdns = false;
  for (const auto& target : targets_) {
    const bool meant = target.get() == named || (known && target->id == *known);
    if (!meant || target->gone) continue;
    target->delay = kFirstDelay;  // the peer did not fail
    if (target->found_by == "mdns") {
      on_mdns = true;
    } else if (target->configured) {
      configured = true;
    } else {
      drop(*target);
      result.dropped = true;
    }
  }
  PeerEntry* const entry = known ? table_.find(*known) : nullptr;
  const std::string name = entry != nullptr ? entry->name : peer;
  if (entry != nullptr && entry->session) {
    const auto session = sessions_.find(*entry->session);
    if (session != sessions_.end()) {
      session->second.out.send_urgent(protocol::Goodbye{"disconnected"});
      close(session->first);
    }
    lose(*entry, api::PeerEvent::Kind::lost);
    result.connected = true;
  }
  if (configured) {
    result.note =
        name + " is dialled again: network.peers or --peer names it. Take it out there, and restart the daemon";
  } else if (on_mdns) {
    result.note = name + " is dialled again: mDNS finds it. 'peerctl ban " + known->brief() + "' keeps it away";
  }
  wake_waiters();
  if (result.connected || result.dropped) return result;
  return fail(ErrorCode::invalid, name + " is not connected" + (configured ? "; " + result.note : ""));
}

}  // namespace peer::sessions
