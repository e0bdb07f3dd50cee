// The datagrams of a burst share one arrival time, also if a connection is accepted in the middle of the burst.
#include <catch2/catch_test_macros.hpp>

#include "libpeer/net/datagram_socket.h"
#include "quic_pair.h"

using namespace peer;
using namespace peer::test;

namespace {

const runtime::CancellationToken kNever;

/// Turns every datagram into a burst: repeats the peer's first datagram, advances the clock, then delivers the new one
/// twice.
class SlowBursts final : public net::DatagramSocket, public net::DatagramReceiver {
 public:
  SlowBursts(runtime::Executor& executor, std::unique_ptr<net::DatagramSocket> socket)
      : executor_(executor), socket_(std::move(socket)) {}

  net::SocketAddress local_address() const override { return socket_->local_address(); }
  void start(net::DatagramReceiver& receiver) override {
    receiver_ = &receiver;
    socket_->start(*this);
  }
  net::SendStatus send(const net::SocketAddress& local, const net::SocketAddress& remote, net::Ecn ecn,
                       std::span<const std::uint8_t> data, std::size_t segment) override {
    return socket_->send(local, remote, ecn, data, segment);
  }
  std::size_t max_segments() const override { return socket_->max_segments(); }
  net::SocketStats stats() const override { return socket_->stats(); }
  runtime::Task<void> close() override { return socket_->close(); }

  void on_datagram(const net::SocketAddress& local, const net::SocketAddress& remote, net::Ecn ecn,
                   std::span<const std::uint8_t> data) override {
    if (!first_) first_.emplace(First{local, remote, {data.begin(), data.end()}});
    receiver_->on_datagram(first_->local, first_->remote, net::Ecn::not_ect, first_->data);
    const runtime::TimePoint before = executor_.now();
    while (executor_.now() == before) {
    }
    receiver_->on_datagram(local, remote, ecn, data);
    receiver_->on_datagram(local, remote, ecn, data);
  }
  void on_burst_end() override { receiver_->on_burst_end(); }
  void on_writable() override { receiver_->on_writable(); }
  void on_socket_error(const Error& error) override { receiver_->on_socket_error(error); }

 private:
  struct First {
    net::SocketAddress local, remote;
    std::vector<std::uint8_t> data;
  };
  runtime::Executor& executor_;
  std::unique_ptr<net::DatagramSocket> socket_;
  net::DatagramReceiver* receiver_ = nullptr;
  std::optional<First> first_;
};

runtime::Task<void> dial_twice(QuicPair& pair) {
  // Bursts begin with the datagram of the first connection. The second connection is accepted in the middle of one.
  auto first = pair.link();
  const auto held = co_await first;
  auto second = pair.link();
  const auto link = co_await second;
  auto getting = get(*link, "/get?size=300000");
  const auto reply = co_await getting;
  REQUIRE(reply.has_value());
  CHECK(reply->body == 300'000);
}

runtime::Task<void> run_slow_pair(runtime::UvExecutor& executor, const QuicTest& test) {
  auto server = net::bind_udp(executor, net::SocketAddress::loopback(0), Log{});
  auto client = net::bind_udp(executor, net::SocketAddress::loopback(0), Log{});
  REQUIRE((server && client));
  return test::detail::run_pair(executor, std::make_unique<SlowBursts>(executor, std::move(*server)),
                                std::move(*client), test);
}

}  // namespace

TEST_CASE("A connection can be accepted in the middle of a burst") {
  const QuicTest test{&dial_twice, &test_handler};
  run_on_uv([&test](runtime::UvExecutor& executor) { return run_slow_pair(executor, test); });
}
