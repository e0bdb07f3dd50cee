#include "libpeer/net/send_queue.h"

#include <utility>

#include "libpeer/net/limits.h"

namespace peer::net {

SendQueue::SendQueue(DatagramSocket& socket) : socket_(socket), buffer_(limits::kBurstBytes) {}

void SendQueue::send(const SocketAddress& local, const SocketAddress& remote, std::uint8_t ecn,
                     std::span<const std::uint8_t> data, std::size_t segment) {
  const Ecn mark = static_cast<Ecn>(ecn & 3U);
  // A datagram that is too big is a path MTU probe, or the path became narrower. Both count as loss.
  if (!blocked() && socket_.send(local, remote, mark, data, segment) != SendStatus::would_block) return;
  unsent_.push_back({local, remote, mark, {data.begin(), data.end()}, segment});
}

bool SendQueue::send_copies() {
  while (!unsent_.empty()) {
    const UnsentPacket& packet = unsent_.front();
    if (socket_.send(packet.local, packet.remote, packet.ecn, packet.data, packet.segment) == SendStatus::would_block)
      return false;
    unsent_.pop_front();
  }
  drained.set();
  return true;
}

std::vector<std::weak_ptr<Connection>> SendQueue::pop_waiting() { return std::exchange(waiting_, {}); }

}  // namespace peer::net
