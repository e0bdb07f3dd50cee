// MemoryConnection: one connection on a MemoryNetwork, with its streams and the two directions of their bodies.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "libpeer/base/random.h"
#include "support/net/memory_network.h"

namespace peer::test {

inline Error cancelled_request() { return {ErrorCode::refused, "the peer cancelled the request", 0}; }

/// One direction of a stream's body.
struct MemoryPipe final : net::BodyReader, net::BodyWriter {
  explicit MemoryPipe(MemoryNetwork::Stats& s) : stats(s) {}

  runtime::Task<Result<std::size_t>> read(std::span<std::uint8_t> into, runtime::CancellationToken token) override {
    std::size_t filled = 0;
    for (;;) {
      if (error) co_return std::unexpected(*error);
      while (filled < into.size() && !pieces.empty()) {
        const std::vector<std::uint8_t>& front = *pieces.front();
        const std::size_t some = std::min(into.size() - filled, front.size() - consumed);
        std::copy_n(front.begin() + static_cast<std::ptrdiff_t>(consumed), some,
                    into.begin() + static_cast<std::ptrdiff_t>(filled));
        filled += some;
        consumed += some;
        if (consumed == front.size()) {
          pieces.pop_front();
          consumed = 0;
        }
      }
      if (filled == into.size() || drained()) co_return filled;
      readable.reset();
      co_await readable.wait(token);
    }
  }
  void release(std::size_t bytes) override {
    unreleased -= std::min(bytes, unreleased);
    writable.set();
  }
  runtime::Task<Result<void>> write(net::SharedBytes bytes, runtime::CancellationToken token) override {
    while (!error && unreleased >= net::kMaxUnackedPerStream) {
      writable.reset();
      co_await writable.wait(token);
    }
    token.throw_if_requested();
    if (error) co_return std::unexpected(*error);
    ++stats.messages;
    stats.bytes += bytes->size();
    unreleased += bytes->size();
    if (!bytes->empty()) pieces.push_back(std::move(bytes));
    readable.set();
    co_return Result<void>();
  }
  void finish() override {
    finished = true;
    readable.set();
  }

  bool drained() const { return finished && pieces.empty(); }
  void fail(const Error& why) {
    if (error) return;
    error = why;
    pieces.clear();
    readable.set();
    writable.set();
  }

  MemoryNetwork::Stats& stats;
  std::deque<net::SharedBytes> pieces;
  std::size_t consumed = 0;    // bytes of the first piece
  std::size_t unreleased = 0;  // written, and not released by the reader
  bool finished = false;
  std::optional<Error> error;
  runtime::Event readable, writable;
};

struct MemoryStream {
  MemoryStream(net::RequestHead h, MemoryNetwork::Stats& stats, const runtime::CancellationToken& serving)
      : head(std::move(h)), up(stats), down(stats), stop(serving) {}

  void fail(const Error& why) {
    up.fail(why);
    down.fail(why);
    responded.set();
    stop.request();
  }

  net::RequestHead head;
  MemoryPipe up, down;
  std::optional<net::ResponseHead> response;
  runtime::Event responded;
  runtime::CancellationSource stop;  // of its handler
};

/// A connection: both sides know the identity of the other.
struct MemoryConnection {
  struct Side {
    MemoryTransport* transport = nullptr;
    PeerId id;
    net::SocketAddress address;
    std::optional<Error> error;
  };

  MemoryConnection(MemoryNetwork& n, MemoryTransport& client_side, MemoryTransport& server_side)
      : network(n), number(++n.stats_.links) {
    client = {&client_side, client_side.id_, client_side.address_, {}};
    server = {&server_side, server_side.id_, server_side.address_, {}};
    ++network.stats_.links_alive;
    seeded_random(number)->fill(binding.bytes);
  }

  /// Ends both sides. The closing side reports its own reason.
  void close(bool by_client, const std::string& reason, const std::string& told) {
    if (over.is_set()) return;
    Side& mine = by_client ? client : server;
    Side& other = by_client ? server : client;
    mine.error = Error{ErrorCode::unreachable, reason, 0};
    other.error =
        Error{ErrorCode::unreachable, mine.address.to_string() + ": the peer closed the connection: " + told, 0};
    client.transport->connections_.erase(number);
    server.transport->connections_.erase(number);
    --network.stats_.links_alive;
    over.set();
    const std::set<std::shared_ptr<MemoryStream>> all = std::exchange(streams, {});
    for (const auto& stream : all) stream->fail(*other.error);
  }

  MemoryNetwork& network;
  std::uint64_t number;
  Side client, server;
  net::ChannelBinding binding;
  bool admitted = false;
  std::set<std::shared_ptr<MemoryStream>> streams;  // those whose handler runs
  runtime::Event over;
};

}  // namespace peer::test
