#include "libpeer/discovery/record_table.h"

#include <algorithm>
#include <climits>
#include <utility>
#include <vector>

namespace peer::discovery {

namespace {
constexpr runtime::Duration kFirstRetry = std::chrono::seconds(1);

/// IPv4, then IPv6, link-local last: the order in which they are tried.
int rank(const net::SocketAddress& address) {
  if (address.is_v4()) return 0;
  return address.host_string().starts_with("fe80:") ? 2 : 1;
}
}  // namespace

void RecordTable::appeared(const Instance& instance) {
  if (instances_.contains(instance)) return;
  if (instances_.size() >= kMaxInstances) make_room();
  if (instances_.size() >= kMaxInstances) return;
  wait(instance, instances_[instance]);
}

void RecordTable::wait(const Instance& instance, Entry& entry) {
  entry.state = State::waiting;
  entry.ticket = next_number_++;
  std::deque<Waiting>& queue = (proven_names_.contains(instance.name) ? first_ : others_).places;
  if (queue.size() >= 2 * kMaxInstances) {
    std::erase_if(queue, [this](const Waiting& place) { return !waits(place); });  // most of it
  }
  queue.push_back({instance, entry.ticket});
}

bool RecordTable::waits(const Waiting& place) const {
  const auto found = instances_.find(place.instance);
  return found != instances_.end() && found->second.state == State::waiting && found->second.ticket == place.ticket;
}

/// One that was of no use gives way, or the oldest of nobody known that still waits.
void RecordTable::make_room() {
  overflowed_ = true;
  while (!others_.places.empty()) {
    const Waiting place = std::move(others_.places.front());
    others_.places.pop_front();
    if (waits(place)) return forget(instances_.find(place.instance));
  }
  const auto useless = std::ranges::find_if(
      instances_, [](const auto& each) { return each.second.state == State::resolved && !each.second.peer; });
  if (useless != instances_.end()) forget(useless);
}

void RecordTable::gone(const Instance& instance) {
  if (const auto found = instances_.find(instance); found != instances_.end()) forget(found);
}

void RecordTable::forget(std::map<Instance, Entry>::iterator entry) {
  leave(entry->first, entry->second);
  instances_.erase(entry);
}

/// The instance's address is no longer its peer's.
void RecordTable::leave(const Instance& instance, Entry& entry) {
  if (!entry.peer) return;
  const PeerId id = *std::exchange(entry.peer, std::nullopt);
  const auto found = peers_.find(id);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
  std::erase_if(peer.places, [&](const Place& place) { return place.instance == instance; });
  if (peer.places.empty()) {
    const bool told = peer.told.has_value();
    peers_.erase(found);
    if (told) tell_(id, std::nullopt);
    return;
  }
  if (std::ranges::none_of(peer.places, [&](const Place& place) { return place.instance.name == peer.owner; })) {
    peer.owner = peer.places.front().instance.name;
    changed(peer.owner);
  }
  refresh(id, peer);
}

void RecordTable::changed(const std::string& name) {
  auto each = instances_.lower_bound(Instance{name, {}, INT_MIN, INT_MIN});
  for (; each != instances_.end() && each->first.name == name; ++each) {
    Entry& entry = each->second;
    entry.attempts = 0;
    if (entry.state == State::resolving) entry.again = true;
    if (entry.state == State::resolved) wait(each->first, entry);
  }
}

void RecordTable::look_again(const PeerId& id) {
  const auto found = peers_.find(id);
  if (found == peers_.end()) return;
  std::set<std::string> names;
  for (const Place& place : found->second.places) names.insert(place.instance.name);
  for (const std::string& name : names) changed(name);
}

void RecordTable::resolve_all() {
  for (auto& [instance, entry] : instances_) {
    if (entry.state == State::resolving) entry.again = true;
    if (entry.state == State::resolved) wait(instance, entry);
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
    if (peer.told) tell_(id, std::nullopt);
  }
}

void RecordTable::prefer(const PeerId& id) {
  if (proven_.size() >= kMaxFoundPeers || proven_names_.size() >= kMaxFoundPeers) {
    proven_.clear();  // whoever of them is met again is noted again
    proven_names_.clear();
  }
  proven_.insert(id);
  if (const auto found = peers_.find(id); found != peers_.end()) {
    for (const Place& place : found->second.places) proven_names_.insert(place.instance.name);
  }
}

bool RecordTable::contains_name(const std::string& name) const {
  const auto found = instances_.lower_bound(Instance{name, {}, INT_MIN, INT_MIN});
  return found != instances_.end() && found->first.name == name;
}

double RecordTable::Queue::turns_at(runtime::TimePoint now) const {
  const double seconds = std::max(0.0, std::chrono::duration<double>(now - counted).count());
  return std::min(kTurnBurst, turns + seconds * kTurnsPerSecond);
}

std::optional<Instance> RecordTable::take(Queue& queue, bool newest, runtime::TimePoint now) {
  queue.turns = queue.turns_at(now);
  queue.counted = now;
  while (!queue.places.empty() && queue.turns >= 1) {
    Waiting place = newest ? std::move(queue.places.back()) : std::move(queue.places.front());
    newest ? queue.places.pop_back() : queue.places.pop_front();
    if (!waits(place)) continue;
    queue.turns -= 1;
    Entry& entry = instances_.find(place.instance)->second;
    entry.state = State::resolving;
    entry.again = false;
    return std::move(place.instance);
  }
  return std::nullopt;
}

std::optional<Instance> RecordTable::next(runtime::TimePoint now, bool proven_only) {
  while (!delayed_.empty() && delayed_.begin()->first <= now) {
    const auto node = delayed_.extract(delayed_.begin());
    const auto found = instances_.find(node.mapped());
    if (found != instances_.end() && found->second.state == State::delayed) wait(found->first, found->second);
  }
  if (auto instance = take(first_, false, now)) return instance;
  if (proven_only) return std::nullopt;
  // From both ends: in a flood the newest have their chance, and the oldest do not wait for ever.
  newest_next_ = !newest_next_;
  return take(others_, newest_next_, now);
}

std::optional<runtime::TimePoint> RecordTable::next_turn(runtime::TimePoint now) const {
  std::optional<runtime::TimePoint> turn;
  if (!delayed_.empty()) turn = delayed_.begin()->first;
  for (const Queue* queue : {&first_, &others_}) {
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
  Entry& entry = found->second;
  entry.state = State::resolved;
  entry.attempts = 0;
  if (entry.peer && *entry.peer != record.id) leave(instance, entry);
  if (!peers_.contains(record.id)) make_room_for_peer();
  const auto [at, added] = peers_.try_emplace(record.id);
  Peer& peer = at->second;
  if (added) {
    peer.age = next_number_++;
    peer.owner = instance.name;
  }
  if (peer.owner == instance.name) peer.record = record;
  if (proven_.contains(record.id) && proven_names_.size() < kMaxFoundPeers) proven_names_.insert(instance.name);

  const auto place = std::ranges::find(peer.places, instance, &Place::instance);
  if (place != peer.places.end()) {
    place->address = address;
  } else {
    entry.peer = record.id;
    peer.places.push_back({instance, address});
  }
  if (peer.places.size() > kMaxFoundAddresses) {  // the oldest has been told, and tried, for longest
    const Instance oldest = std::exchange(peer.places.front(), {}).instance;
    peer.places.pop_front();
    instances_.erase(oldest);
    overflowed_ = true;
  }
  if (entry.again) wait(instance, entry);
  refresh(record.id, peer);
}

/// The one known for longest without a proof gives way.
void RecordTable::make_room_for_peer() {
  if (peers_.size() < kMaxFoundPeers) return;
  auto oldest = peers_.end();
  for (auto each = peers_.begin(); each != peers_.end(); ++each) {
    if (proven_.contains(each->first)) continue;
    if (oldest == peers_.end() || each->second.age < oldest->second.age) oldest = each;
  }
  if (oldest == peers_.end()) oldest = peers_.begin();
  const PeerId id = oldest->first;
  const bool told = oldest->second.told.has_value();
  for (const Place& place : oldest->second.places) instances_.erase(place.instance);
  peers_.erase(oldest);
  overflowed_ = true;
  if (told) tell_(id, std::nullopt);
}

void RecordTable::refresh(const PeerId& id, Peer& peer) {
  Found found{peer.record, {}};
  for (const Place& place : peer.places) found.addresses.push_back(place.address);
  std::ranges::sort(found.addresses,
                    [](const auto& a, const auto& b) { return std::pair(rank(a), a) < std::pair(rank(b), b); });
  const auto [first, last] = std::ranges::unique(found.addresses);
  found.addresses.erase(first, last);
  if (peer.told == found) return;
  peer.told = found;
  tell_(id, found);
}

void RecordTable::useless(const Instance& instance) {
  const auto found = instances_.find(instance);
  if (found == instances_.end()) return;
  leave(instance, found->second);
  found->second.state = State::resolved;
  if (found->second.again) wait(instance, found->second);
}

void RecordTable::unanswered(const Instance& instance, runtime::TimePoint now) {
  const auto found = instances_.find(instance);
  if (found == instances_.end()) return;
  Entry& entry = found->second;
  if (++entry.attempts >= kMaxAttempts) {
    overflowed_ = true;
    return forget(found);
  }
  entry.state = State::delayed;
  delayed_.emplace(now + kFirstRetry * (1 << (entry.attempts - 1)), instance);
}

}  // namespace peer::discovery
