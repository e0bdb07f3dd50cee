#include "libpeer/discovery/network_monitor.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include "libpeer/base/check.h"
#include "libpeer/net/interfaces.h"
#include "libpeer/runtime/defer.h"
#include "libpeer/runtime/event.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/runtime/uv_poll.h"

namespace peer::discovery {

namespace {

/// An interface that comes up gets its addresses one by one.
constexpr runtime::Duration kQuiet = std::chrono::milliseconds(100);

class NetlinkMonitor final : public NetworkMonitor {
 public:
  NetlinkMonitor(runtime::UvExecutor& executor, Log log) : executor_(executor), log_(std::move(log)) {}
  ~NetlinkMonitor() override { PEER_CHECK(fd_ < 0); }

  runtime::Task<void> run(std::function<void()> changed, runtime::CancellationToken token) override;

 private:
  bool open();
  void drain() noexcept;

  runtime::UvExecutor& executor_;
  const Log log_;
  int fd_ = -1;
};

bool NetlinkMonitor::open() {
  fd_ = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (fd_ >= 0 && ::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
  log_.warn("cannot watch for changes of the network interfaces: " + std::generic_category().message(errno));
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  return false;
}

runtime::Task<void> NetlinkMonitor::run(std::function<void()> changed, runtime::CancellationToken token) {
  PEER_CHECK(fd_ < 0);
  if (!open()) {
    runtime::Event never;
    co_await never.wait(token);
  }
  const runtime::Defer close([this] { ::close(std::exchange(fd_, -1)); });
  runtime::UvPoll poll(executor_, fd_);
  auto known = net::interface_addresses();
  for (;;) {
    co_await poll.readable(token);
    co_await runtime::sleep_for(executor_, kQuiet, token);
    drain();
    // Many messages report only address lifetimes or counters, which do not matter here.
    auto now = net::interface_addresses();
    if (!now || (known && *now == *known)) continue;
    known = std::move(now);
    changed();
  }
}

/// Discards the messages: run() lists the interfaces again, so it does not matter if some were lost.
void NetlinkMonitor::drain() noexcept {
  std::array<char, 8192> buffer;
  for (int reads = 0; reads < 256; ++reads) {
    const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno != EINTR && errno != ENOBUFS) return;
  }
}

}  // namespace

std::unique_ptr<NetworkMonitor> netlink_monitor(runtime::UvExecutor& executor, Log log) {
  return std::make_unique<NetlinkMonitor>(executor, std::move(log));
}

}  // namespace peer::discovery
