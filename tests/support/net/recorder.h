// Recorder: a DatagramReceiver that records datagrams and lets a test wait for them.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "libpeer/net/datagram_socket.h"
#include "libpeer/runtime/event.h"
#include "libpeer/runtime/sleep.h"

namespace peer::test {

struct Recorder final : net::DatagramReceiver {
  struct Datagram {
    net::SocketAddress local, remote;
    net::Ecn ecn;
    std::vector<std::uint8_t> data;
  };
  std::vector<Datagram> datagrams;
  std::vector<std::size_t> bursts;  ///< the number of datagrams in each
  std::size_t writable = 0;
  std::optional<Error> error;

  void on_datagram(const net::SocketAddress& local, const net::SocketAddress& remote, net::Ecn ecn,
                   std::span<const std::uint8_t> data) override {
    datagrams.push_back({local, remote, ecn, {data.begin(), data.end()}});
    ++in_burst_;
  }
  void on_burst_end() override {
    bursts.push_back(std::exchange(in_burst_, 0));
    changed_.set();
  }
  void on_writable() override {
    ++writable;
    changed_.set();
  }
  void on_socket_error(const Error& e) override {
    error = e;
    changed_.set();
  }

  /// Waits until `done()` is true, which is tested after every burst and event. Returns false after `limit`, which only
  /// a failing test reaches.
  runtime::Task<bool> until(runtime::Executor& executor, std::function<bool()> done,
                            runtime::Duration limit = std::chrono::seconds(20)) {
    const runtime::Deadline deadline(executor, limit, runtime::CancellationToken{});
    bool came = true;
    try {
      while (!done()) {
        changed_.reset();
        co_await changed_.wait(deadline.token());
      }
    } catch (const runtime::Cancelled&) {
      came = false;
    }
    co_return came;
  }
  /// Fails the test if fewer datagrams arrive.
  runtime::Task<void> expect_datagrams(runtime::Executor& executor, std::size_t count) {
    auto all = [this, count] { return datagrams.size() >= count; };
    const bool came = co_await until(executor, all);
    INFO("received " << datagrams.size() << " datagrams of " << count);
    CHECK(came);
  }

 private:
  runtime::Event changed_;
  std::size_t in_burst_ = 0;
};

}  // namespace peer::test
