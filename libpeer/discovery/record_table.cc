#include "libpeer/discovery/record_table.h"

#include <algorithm>
#include <climits>
#include <utility>
#include <vector>

namespace peer::discovery {

namespace {
constexpr runtime::Duration kFirstRetry = std::chrono::seconds(1);

/// The order in which addresses are tried: IPv4, then IPv6, then link-local IPv6.
int rank(const net::SocketAddress& address) {
  if (address.is_v4()) return 0;
  return address.host_string().starts_with("fe80:") ? 2 : 1;
}
}  // namespace

void RecordTable::appeared(const Instance& instance) {
  if (instances_.contains(instance)) return;
  if (instances_.size() >= kMaxInstances) make_room();
  if (instances_.size() >= kMaxInstances) return;
  enqueue(instance, instances_[instance]);
}

void RecordTable::enqueue(const Instance& instance, InstanceEntry& entry) {
  entry.state = ResolveState::waiting;
  entry.ticket = next_number_++;
  std::deque<QueuedInstance>& queue = (proven_names_.contains(instance.name) ? first_ : others_).places;
  if (queue.size() >= 2 * kMaxInstances) {
    // Removes outdated tickets, which are most of the queue.
    std::erase_if(queue, [this](const QueuedInstance& place) { return !waits(place); });
  }
  queue.push_back({instance, entry.ticket});
}

bool RecordTable::waits(const QueuedInstance& place) const {
  const auto found = instances_.find(place.instance);
  return found != instances_.end() && found->second.state == ResolveState::waiting &&
         found->second.ticket == place.ticket;
}

/// Drops the oldest waiting instance of an unproven peer, or, if none waits, one that did not resolve to a usable
/// address.
void RecordTable::make_room() {
  overflowed_ = true;
  while (!others_.places.empty()) {
    const QueuedInstance place = std::move(others_.places.front());
    others_.places.pop_front();
    if (waits(place)) return forget(instances_.find(place.instance));
  }
  const auto useless = std::ranges::find_if(
      instances_, [](const auto& each) { return each.second.state == ResolveState::resolved && !each.second.peer; });
  if (useless != instances_.end()) forget(useless);
}

void RecordTable::gone(const Instance& instance) {
  if (const auto found = instances_.find(instance); found != instances_.end()) forget(found);
}

void RecordTable::forget(std::map<Instance, InstanceEntry>::iterator entry) {
  leave_peer(entry->first, entry->second);
  instances_.erase(entry);
}

/// Removes the instance's address from its peer. A peer without addresses is lost.
void RecordTable::leave_peer(const Instance& instance, InstanceEntry& entry) {
  if (!entry.peer) return;
  const PeerId id = *std::exchange(entry.peer, std::nullopt);
  const auto found = peers_.find(id);
  if (found == peers_.end()) return;
  FoundPeer& peer = found->second;
  std::erase_if(peer.places, [&](const InstanceAddress& place) { return place.instance == instance; });
  if (peer.places.empty()) {
    const bool reported = peer.reported.has_value();
    peers_.erase(found);
    if (reported) on_change_(id, std::nullopt);
    return;
  }
  if (std::ranges::none_of(peer.places,
                           [&](const InstanceAddress& place) { return place.instance.name == peer.owner; })) {
    peer.owner = peer.places.front().instance.name;
    changed(peer.owner);
  }
  report(id, peer);
}

void RecordTable::changed(const std::string& name) {
  auto each = instances_.lower_bound(Instance{name, {}, INT_MIN, INT_MIN});
  for (; each != instances_.end() && each->first.name == name; ++each) {
    InstanceEntry& entry = each->second;
    entry.attempts = 0;
    if (entry.state == ResolveState::resolving) entry.again = true;
    if (entry.state == ResolveState::resolved) enqueue(each->first, entry);
  }
}

void RecordTable::resolve_again(const PeerId& id) {
  const auto found = peers_.find(id);
  if (found == peers_.end()) return;
  std::set<std::string> names;
  for (const InstanceAddress& place : found->second.places) names.insert(place.instance.name);
  for (const std::string& name : names) changed(name);
}

void RecordTable::resolve_all() {
  for (auto& [instance, entry] : instances_) {
    if (entry.state == ResolveState::resolving) entry.again = true;
    if (entry.state == ResolveState::resolved) enqueue(instance, entry);
  }
}

void RecordTable::keep_only(const std::set<Instance>& there) {
  std::vector<Instance> others;
  for (const auto& [instance, entry] : instances_) {
    if (!there.contains(instance)) others.push_back(instance);
  }
  for (const Instance& instance : others) gone(instance);
}

void RecordTable::clear() {
  const auto peers = std::exchange(peers_, {});
  instances_.clear();
  first_.places.clear();
  others_.places.clear();
  delayed_.clear();
  overflowed_ = false;
  for (const auto& [id, peer] : peers) {
    if (peer.reported) on_change_(id, std::nullopt);
  }
}

void RecordTable::prefer(const PeerId& id) {
  if (proven_.size() >= kMaxFoundPeers || proven_names_.size() >= kMaxFoundPeers) {
    proven_.clear();  // a peer that is proven again is added again
    proven_names_.clear();
  }
  proven_.insert(id);
  if (const auto found = peers_.find(id); found != peers_.end()) {
    for (const InstanceAddress& place : found->second.places) proven_names_.insert(place.instance.name);
  }
}

bool RecordTable::contains_name(const std::string& name) const {
  const auto found = instances_.lower_bound(Instance{name, {}, INT_MIN, INT_MIN});
  return found != instances_.end() && found->first.name == name;
}

double RecordTable::TurnQueue::turns_at(runtime::TimePoint now) const {
  const double seconds = std::max(0.0, std::chrono::duration<double>(now - counted).count());
  return std::min(kTurnBurst, turns + seconds * kTurnsPerSecond);
}

std::optional<Instance> RecordTable::pop_waiting(TurnQueue& queue, bool newest, runtime::TimePoint now) {
  queue.turns = queue.turns_at(now);
  queue.counted = now;
  while (!queue.places.empty() && queue.turns >= 1) {
    QueuedInstance place = newest ? std::move(queue.places.back()) : std::move(queue.places.front());
    newest ? queue.places.pop_back() : queue.places.pop_front();
    if (!waits(place)) continue;
    queue.turns -= 1;
    InstanceEntry& entry = instances_.find(place.instance)->second;
    entry.state = ResolveState::resolving;
    entry.again = false;
    return std::move(place.instance);
  }
  return std::nullopt;
}

std::optional<Instance> RecordTable::next(runtime::TimePoint now, bool proven_only) {
  while (!delayed_.empty() && delayed_.begin()->first <= now) {
    const auto node = delayed_.extract(delayed_.begin());
    const auto found = instances_.find(node.mapped());
    if (found != instances_.end() && found->second.state == ResolveState::delayed) enqueue(found->first, found->second);
  }
  if (auto instance = pop_waiting(first_, false, now)) return instance;
  if (proven_only) return std::nullopt;
  // Alternate between both ends: in a flood, new instances get a turn, and old ones do not wait indefinitely.
  newest_next_ = !newest_next_;
  return pop_waiting(others_, newest_next_, now);
}

std::optional<runtime::TimePoint> RecordTable::next_turn(runtime::TimePoint now) const {
  std::optional<runtime::TimePoint> turn;
  if (!delayed_.empty()) turn = delayed_.begin()->first;
  for (const TurnQueue* queue : {&first_, &others_}) {
    if (queue->places.empty()) continue;
    const std::chrono::duration<double> lacking(std::max(0.0, 1 - queue->turns_at(now)) / kTurnsPerSecond);
    const runtime::TimePoint ready = now + std::chrono::ceil<std::chrono::milliseconds>(lacking);
    if (!turn || ready < *turn) turn = ready;
  }
  return turn;
}

void RecordTable::resolved(const Instance& instance, const Record& record, const net::SocketAddress& address) {
  const auto found = instances_.find(instance);
  if (found == instances_.end()) return;
  if (record.id == self_) return forget(found);
  InstanceEntry& entry = found->second;
  entry.state = ResolveState::resolved;
  entry.attempts = 0;
  if (entry.peer && *entry.peer != record.id) leave_peer(instance, entry);
  if (!peers_.contains(record.id)) make_room_for_peer();
  const auto [at, added] = peers_.try_emplace(record.id);
  FoundPeer& peer = at->second;
  if (added) {
    peer.age = next_number_++;
    peer.owner = instance.name;
  }
  if (peer.owner == instance.name) peer.record = record;
  if (proven_.contains(record.id) && proven_names_.size() < kMaxFoundPeers) proven_names_.insert(instance.name);

  const auto place = std::ranges::find(peer.places, instance, &InstanceAddress::instance);
  if (place != peer.places.end()) {
    place->address = address;
  } else {
    entry.peer = record.id;
    peer.places.push_back({instance, address});
  }
  if (peer.places.size() > kMaxFoundAddresses) {  // the oldest has been reported, and tried, for the longest time
    const Instance oldest = std::exchange(peer.places.front(), {}).instance;
    peer.places.pop_front();
    instances_.erase(oldest);
    overflowed_ = true;
  }
  if (entry.again) enqueue(instance, entry);
  report(record.id, peer);
}

/// Drops the unproven peer that has been known for the longest time.
void RecordTable::make_room_for_peer() {
  if (peers_.size() < kMaxFoundPeers) return;
  auto oldest = peers_.end();
  for (auto each = peers_.begin(); each != peers_.end(); ++each) {
    if (proven_.contains(each->first)) continue;
    if (oldest == peers_.end() || each->second.age < oldest->second.age) oldest = each;
  }
  if (oldest == peers_.end()) oldest = peers_.begin();
  const PeerId id = oldest->first;
  const bool reported = oldest->second.reported.has_value();
  for (const InstanceAddress& place : oldest->second.places) instances_.erase(place.instance);
  peers_.erase(oldest);
  overflowed_ = true;
  if (reported) on_change_(id, std::nullopt);
}

void RecordTable::report(const PeerId& id, FoundPeer& peer) {
  Found found{peer.record, {}};
  for (const InstanceAddress& place : peer.places) found.addresses.push_back(place.address);
  std::ranges::sort(found.addresses,
                    [](const auto& a, const auto& b) { return std::pair(rank(a), a) < std::pair(rank(b), b); });
  const auto [first, last] = std::ranges::unique(found.addresses);
  found.addresses.erase(first, last);
  if (peer.reported == found) return;
  peer.reported = found;
  on_change_(id, found);
}

void RecordTable::useless(const Instance& instance) {
  const auto found = instances_.find(instance);
  if (found == instances_.end()) return;
  leave_peer(instance, found->second);
  found->second.state = ResolveState::resolved;
  if (found->second.again) enqueue(instance, found->second);
}

void RecordTable::unanswered(const Instance& instance, runtime::TimePoint now) {
  const auto found = instances_.find(instance);
  if (found == instances_.end()) return;
  InstanceEntry& entry = found->second;
  if (++entry.attempts >= kMaxAttempts) {
    overflowed_ = true;
    return forget(found);
  }
  entry.state = ResolveState::delayed;
  delayed_.emplace(now + kFirstRetry * (1 << (entry.attempts - 1)), instance);
}

}  // namespace peer::discovery
