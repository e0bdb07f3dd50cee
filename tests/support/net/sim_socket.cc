#include "support/net/sim_socket.h"

#include <algorithm>
#include <coroutine>

#include "libpeer/base/check.h"

namespace peer::test {

using net::SendStatus;
using net::SocketAddress;

namespace {
/// Continues from the executor's queue: closing takes a turn, as for the real socket.
struct NextTurn {
  bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> self) {
    self.promise().wake();
  }
  void await_resume() const noexcept {}
};
}  // namespace

std::size_t ip_and_udp_headers(const SocketAddress& address) { return address.is_v4() ? 28 : 48; }

SimSocket::~SimSocket() {
  PEER_CHECK(receiver_ == nullptr || closed_);
  release();
}

void SimSocket::start(net::DatagramReceiver& receiver) {
  PEER_CHECK(receiver_ == nullptr && !closed_);
  receiver_ = &receiver;
  arm();
}

SendStatus SimSocket::send(const SocketAddress&, const SocketAddress& remote, net::Ecn ecn,
                           std::span<const std::uint8_t> data, std::size_t segment) {
  PEER_CHECK(segment > 0 && data.size() <= net::kMaxSend);
  PEER_CHECK((data.size() + segment - 1) / segment <= network_.most_segments_);
  if (closed_) return SendStatus::sent;
  if (blocked_ || owes_writable_ || network_.chance(network_.would_block_)) {
    ++network_.stats_.would_block;
    owes_writable_ = true;
    if (!blocked_) promise_writable();
    return SendStatus::would_block;
  }
  const std::size_t largest = std::min(segment, data.size()) + ip_and_udp_headers(remote);
  const SimNetwork::Direction direction{address_.with_port(0), remote.with_port(0)};
  if (largest > network_.conditions(direction).interface_mtu) {
    ++network_.stats_.too_big;
    return SendStatus::too_big;
  }
  do {
    const std::span<const std::uint8_t> one = data.first(std::min(segment, data.size()));
    data = data.subspan(one.size());
    ++stats_.datagrams_out;
    stats_.bytes_out += one.size();
    network_.transmit(address_, remote, ecn, std::vector<std::uint8_t>(one.begin(), one.end()));
  } while (!data.empty());
  return SendStatus::sent;
}

net::SocketStats SimSocket::stats() const {
  net::SocketStats result = stats_;
  result.gso = result.gro = max_segments() > 1;
  result.receive_buffer = result.send_buffer = 4 << 20;
  return result;
}

runtime::Task<void> SimSocket::close() {
  PEER_CHECK(!closed_);
  closed_ = true;
  release();
  co_await NextTurn{};
}

void SimSocket::put(runtime::TimePoint at, Datagram datagram) {
  arriving_.emplace(at, std::move(datagram));
  arm();
}

void SimSocket::arm() {
  if (receiver_ == nullptr || closed_ || arriving_.empty()) return;
  const runtime::TimePoint first = std::max(arriving_.begin()->first, network_.executor_.now());
  if (delivery_ && delivery_->at <= first) return;
  if (delivery_) network_.executor_.disarm(*delivery_);
  delivery_ = network_.executor_.arm(first, [this] { deliver(); });
}

void SimSocket::deliver() {
  delivery_.reset();
  const runtime::TimePoint now = network_.executor_.now();
  std::size_t given = 0;
  while (given < net::kDatagramsPerTurn && !closed_ && !arriving_.empty() && arriving_.begin()->first <= now) {
    const Datagram datagram = std::move(arriving_.extract(arriving_.begin()).mapped());
    if (network_.severed({datagram.from.with_port(0), address_.with_port(0)})) {
      ++network_.stats_.cut;
      continue;
    }
    ++given;
    ++stats_.datagrams_in;
    stats_.bytes_in += datagram.data.size();
    ++network_.stats_.delivered;
    network_.stats_.bytes_delivered += datagram.data.size();
    receiver_->on_datagram(address_, datagram.from, datagram.ecn, datagram.data);
  }
  if (given > 0 && !closed_) receiver_->on_burst_end();
  arm();
}

void SimSocket::promise_writable() {
  if (writable_ || receiver_ == nullptr) return;
  writable_ = network_.executor_.arm(network_.executor_.now() + network_.tick_, [this] {
    writable_.reset();
    if (blocked_ || closed_) return;
    owes_writable_ = false;
    receiver_->on_writable();
  });
}

void SimSocket::release() {
  if (delivery_) network_.executor_.disarm(*delivery_);
  if (writable_) network_.executor_.disarm(*writable_);
  delivery_.reset();
  writable_.reset();
  arriving_.clear();
  const auto found = network_.sockets_.find(address_);
  if (found != network_.sockets_.end() && found->second == this) network_.sockets_.erase(found);
}

}  // namespace peer::test
