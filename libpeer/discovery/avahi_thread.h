// AvahiThread: the thread on which AvahiDiscovery talks to avahi-daemon, with a loop of its own.
//
// Loop: public functions, the control loop; private ones, the thread's own. They communicate by posted messages and the
// outbox. Owns: everything that the thread touches, so that a thread that hangs can be abandoned.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "libpeer/discovery/avahi_connection.h"
#include "libpeer/discovery/outbox.h"
#include "libpeer/discovery/poll_adapter.h"
#include "libpeer/discovery/record_table.h"
#include "libpeer/runtime/uv_executor.h"

namespace peer::discovery {

/// Where to publish, and on which interfaces peers are accepted.
struct DiscoveryInterfaces {
  std::vector<int> publish;  ///< interface indexes; empty: all
  std::vector<net::InterfaceAddress> usable;
};

class AvahiThread : public std::enable_shared_from_this<AvahiThread> {
 public:
  AvahiThread(runtime::Executor& control, Record self, std::uint16_t port, DiscoveryInterfaces interfaces);

  void start();
  void request_stop();
  /// Disconnects the D-Bus socket of a call that hangs.
  void interrupt() noexcept { poll_.interrupt(); }
  /// Only after the outbox has ended.
  void join() { thread_.join(); }
  /// Detaches the thread. It no longer reports anything, and ends when its call returns.
  void abandon();

  void set_revision(std::uint64_t revision);
  void prefer(const PeerId& id);
  void resolve_again(const PeerId& id);
  void set_interfaces(DiscoveryInterfaces interfaces);

  const std::shared_ptr<Outbox> outbox;

 private:
  void run() noexcept;
  runtime::Task<void> main();
  runtime::Task<void> keep_sessions(runtime::CancellationToken token);

  runtime::UvExecutor executor_;
  PollAdapter poll_{executor_.loop()};
  runtime::CancellationSource stop_;
  std::atomic<bool> stopping_ = false;
  AvahiPublication publication_;
  RecordTable table_;
  std::thread thread_;
};

}  // namespace peer::discovery
