#include "libpeer/sessions/dial_targets.h"

#include <algorithm>
#include <utility>

#include "libpeer/net/resolver.h"

namespace peer::sessions {

namespace {
/// "den" and "den:24747" are the same.
bool same_place(const std::string& one, const std::string& other) {
  if (one == other) return true;
  const auto a = net::parse_host_port(one);
  const auto b = net::parse_host_port(other);
  return a && b && *a == *b;
}
}  // namespace

DialTargets::DialTargets(const PeerId& self, PeerTable& table) : self_(self), table_(table) {
  table_.set_find_dialed([this](const std::string& address) -> std::optional<PeerTable::DialedName> {
    const DialTarget* const target = find_static(address);
    if (target == nullptr) return std::nullopt;
    return PeerTable::DialedName{target->id};
  });
}

void DialTargets::notify() {
  peers_changed_.set();
  peers_changed_.reset();
}

const DialTarget* DialTargets::find_static(const std::string& address) const {
  const auto found = std::ranges::find_if(targets_, [&](const auto& each) {
    return each->is_static() && !each->gone && same_place(each->address, address);
  });
  return found == targets_.end() ? nullptr : found->get();
}

std::optional<PeerId> DialTargets::static_id(const std::string& address) const {
  const DialTarget* const target = find_static(address);
  return target == nullptr ? std::nullopt : target->id;
}

bool DialTargets::contains(const PeerId& peer) const {
  return std::ranges::any_of(targets_, [&](const auto& each) { return each->id == peer; });
}

/// A target whose task has ended needs a new one.
void DialTargets::revive(DialTarget& target) {
  target.gone = false;
  if (std::exchange(target.ended, false)) target.started = false;
}

std::shared_ptr<DialTarget> DialTargets::add_static(const std::string& address) {
  auto found = std::ranges::find_if(
      targets_, [&](const auto& each) { return each->is_static() && same_place(each->address, address); });
  if (found == targets_.end()) {
    found = targets_.insert(targets_.end(), std::make_shared<DialTarget>());
    (*found)->found_by = "static";
    (*found)->address = address;
    const auto where = net::parse_host_port(address);
    const auto literal = where ? net::literal_address(where->host, where->port) : std::nullopt;
    if (literal) (*found)->resolved = {*literal};
  }
  DialTarget& target = **found;
  if (target.gone) {
    target.address = address;
    target.id.reset();
    target.error.clear();
    target.state = api::PeerState::connecting;
    revive(target);
  }
  targets_changed_.set();
  return *found;
}

void DialTargets::set_found(const PeerId& id, const std::string& name, std::vector<net::SocketAddress> addresses) {
  if (id == self_) return;
  const auto found =
      std::ranges::find_if(targets_, [&](const auto& each) { return each->found_by == "mdns" && each->id == id; });
  DialTarget* target = found == targets_.end() ? nullptr : found->get();
  if (addresses.empty()) {
    if (target == nullptr) return;
    target->gone = true;
    target->retry_now.set();
    notify();
    return;
  }
  if (target == nullptr) {
    target = targets_.emplace_back(std::make_shared<DialTarget>()).get();
    target->found_by = "mdns";
    target->id = id;
  }
  target->address = name;
  const bool moved = std::exchange(target->addresses, std::move(addresses)) != target->addresses;
  revive(*target);
  if (moved) target->retry_now.set();
  if (PeerEntry* entry = table_.find(id); entry != nullptr && entry->state == api::PeerState::connected) {
    entry->found_by.insert("mdns");
    entry->add_addresses(target->addresses);
  }
  targets_changed_.set();
}

std::optional<std::uint64_t> DialTargets::drop(DialTarget& target) {
  target.gone = true;
  target.retry_now.set();
  const std::shared_ptr<Dial> dial = target.dial;
  if (!dial || dial->answered) return std::nullopt;
  dial->dropped = true;
  return dial->number;
}

DroppedTargets DialTargets::drop(const std::string& address, std::optional<PeerId> id) {
  const DialTarget* const named = find_static(address);
  DroppedTargets result;
  for (const auto& target : targets_) {
    const bool meant = target.get() == named || (id && target->id == *id);
    if (!meant || target->gone) continue;
    target->delay = kFirstDialDelay;  // the peer did not fail
    if (!target->is_static()) {
      result.on_mdns = true;
    } else if (target->configured) {
      result.configured = true;
    } else {
      if (const auto dial = drop(*target)) result.dials.push_back(*dial);
      result.dropped = true;
    }
  }
  return result;
}

bool DialTargets::retry(const PeerId& peer) {
  bool found = false;
  for (const auto& target : targets_) {
    if (!target->id || *target->id == peer) target->retry_now.set();
    if (target->id == peer && !target->gone) found = true;
  }
  return found;
}

void DialTargets::remove_ended() {
  std::erase_if(targets_, [](const auto& each) { return each->gone && (each->ended || !each->started); });
}

void DialTargets::retry_all() {
  for (const auto& target : targets_) target->retry_now.set();
}

void DialTargets::on_answered(const Dial& dial, const PeerId& peer) {
  for (const auto& target : targets_) {
    if (target->dial.get() == &dial) target->id = peer;
  }
}

void DialTargets::on_greeted(PeerEntry& entry) {
  for (const auto& target : targets_) {
    if (target->id != entry.id || target->gone) continue;
    target->state = api::PeerState::connected;
    entry.found_by.insert(target->found_by);
    entry.add_addresses(target->addresses);
  }
}

}  // namespace peer::sessions
