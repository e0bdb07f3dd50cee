#include "support/net/sim_network.h"

#include <algorithm>

#include "libpeer/base/check.h"
#include "support/net/sim_socket.h"

namespace peer::test {

using net::SocketAddress;

namespace {
SocketAddress host_of(const SocketAddress& address) { return address.with_port(0); }
}  // namespace

SimNetwork::SimNetwork(runtime::ManualExecutor& executor, std::uint64_t seed)
    : executor_(executor), random_(seeded_random(seed)) {}

SimNetwork::~SimNetwork() { PEER_CHECK(sockets_.empty()); }

std::unique_ptr<net::DatagramSocket> SimNetwork::bind(const SocketAddress& address) {
  PEER_CHECK(!address.is_unspecified());
  SocketAddress bound = address;
  while (bound.port() == 0 || (address.port() == 0 && sockets_.contains(bound)))
    bound = address.with_port(next_port_++);
  PEER_CHECK(!sockets_.contains(bound));
  auto socket = std::make_unique<SimSocket>(*this, bound);
  sockets_.emplace(bound, socket.get());
  return socket;
}

void SimNetwork::set_conditions(const SocketAddress& from, const SocketAddress& to, const LinkConditions& conditions) {
  conditions_.insert_or_assign(Direction{host_of(from), host_of(to)}, conditions);
}

void SimNetwork::clear_conditions(const SocketAddress& from, const SocketAddress& to) {
  conditions_.erase(Direction{host_of(from), host_of(to)});
}

void SimNetwork::partition(const SocketAddress& a, const SocketAddress& b) {
  partitions_.insert(Direction{host_of(a), host_of(b)});
  partitions_.insert(Direction{host_of(b), host_of(a)});
}

void SimNetwork::heal(const SocketAddress& a, const SocketAddress& b) {
  partitions_.erase(Direction{host_of(a), host_of(b)});
  partitions_.erase(Direction{host_of(b), host_of(a)});
}

void SimNetwork::cut(const SocketAddress& host) { cut_.insert(host_of(host)); }
void SimNetwork::restore(const SocketAddress& host) { cut_.erase(host_of(host)); }

void SimNetwork::set_max_segments(std::size_t segments) {
  max_segments_ = segments;
  most_segments_ = sockets_.empty() ? segments : std::max(segments, most_segments_);
}

void SimNetwork::block_sends(const SocketAddress& address) { at(address).blocked_ = true; }

void SimNetwork::allow_sends(const SocketAddress& address) {
  SimSocket& socket = at(address);
  socket.blocked_ = false;
  if (socket.owes_writable_) socket.promise_writable();
}

SimSocket& SimNetwork::at(const SocketAddress& address) {
  const auto found = sockets_.find(address);
  PEER_CHECK(found != sockets_.end());
  return *found->second;
}

bool SimNetwork::chance(double share) {
  constexpr std::uint64_t kScale = 1'000'000'000;
  if (share <= 0) return false;
  return random_->below(kScale) < static_cast<std::uint64_t>(share * static_cast<double>(kScale));
}

const LinkConditions& SimNetwork::conditions(const Direction& direction) const {
  const auto found = conditions_.find(direction);
  return found == conditions_.end() ? defaults_ : found->second;
}

bool SimNetwork::severed(const Direction& direction) const {
  return cut_.contains(direction.first) || cut_.contains(direction.second) || partitions_.contains(direction);
}

void SimNetwork::transmit(const SocketAddress& from, const SocketAddress& to, net::Ecn ecn,
                          std::vector<std::uint8_t> data) {
  ++stats_.sent;
  if (filter_ && !filter_(from, to, data)) {
    ++stats_.filtered;
    return;
  }
  const Direction direction{host_of(from), host_of(to)};
  const LinkConditions& link = conditions(direction);
  const std::size_t size = data.size() + ip_and_udp_headers(to);
  if (severed(direction)) {
    ++stats_.cut;
    return;
  }
  if (size > link.path_mtu) {
    ++stats_.mtu_dropped;
    return;
  }
  if (chance(link.loss)) {
    ++stats_.lost;
    return;
  }

  Wire& wire = wires_[direction];
  runtime::TimePoint departs = executor_.now();
  if (link.bandwidth > 0) {
    const runtime::TimePoint begins = std::max(departs, wire.busy_until);
    const double waiting =
        std::chrono::duration<double>(begins - departs).count() * static_cast<double>(link.bandwidth);
    if (waiting + static_cast<double>(size) > static_cast<double>(link.queue)) {
      ++stats_.queue_dropped;
      return;
    }
    const std::chrono::duration<double> takes(static_cast<double>(size) / static_cast<double>(link.bandwidth));
    departs = begins + std::chrono::duration_cast<runtime::Duration>(takes);
    wire.busy_until = departs;
  }
  runtime::TimePoint arrives = departs + link.delay;
  if (link.jitter > runtime::Duration{})
    arrives += runtime::Duration(random_->below(static_cast<std::uint64_t>(link.jitter.count()) + 1));
  if (chance(link.reorder)) {
    ++stats_.reordered;
    arrives += link.reorder_delay;
  } else {
    arrives = std::max(arrives, wire.last_arrival);
    wire.last_arrival = arrives;
  }
  const bool capable = ecn == net::Ecn::ect0 || ecn == net::Ecn::ect1;
  if (capable && chance(link.congestion_marks)) ecn = net::Ecn::ce;
  if (chance(link.duplicate)) {
    ++stats_.duplicated;
    arrive(arrives, from, to, ecn, data);
  }
  arrive(arrives, from, to, ecn, std::move(data));
}

void SimNetwork::arrive(runtime::TimePoint at, const SocketAddress& from, const SocketAddress& to, net::Ecn ecn,
                        std::vector<std::uint8_t> data) {
  const auto found = sockets_.find(to);
  if (found == sockets_.end()) {
    ++stats_.unbound;
    return;
  }
  if (tick_ > runtime::Duration{}) {
    const auto ticks = (at.time_since_epoch() + tick_ - runtime::Duration{1}) / tick_;
    at = runtime::TimePoint(ticks * tick_);
  }
  at = std::max(at, executor_.now() + runtime::Duration{1});
  found->second->put(at, SimSocket::Datagram{from, ecn, std::move(data)});
}

}  // namespace peer::test
