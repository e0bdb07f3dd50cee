// SimWorld and SimPeer: complete peers in one thread under virtual time, with a simulated network, disks in memory and
// seeded workers. The same seed gives the same trace of events.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libpeer/api/peer.h"
#include "libpeer/api/test_hooks.h"
#include "libpeer/net/identity.h"
#include "libpeer/runtime/manual_executor.h"
#include "libpeer/store/store.h"
#include "support/net/sim_network.h"
#include "support/net/table_resolver.h"
#include "support/store/failing_store.h"
#include "support/store/memory_disk.h"

namespace peer::test {

class SimWorld {
 public:
  explicit SimWorld(std::uint64_t seed);
  ~SimWorld();

  runtime::ManualExecutor executor;
  SimNetwork network;
  std::uint64_t seed;
  /// The events of all peers in order: "<virtual ms> <peer> <event> <details>".
  std::vector<std::string> trace;

  /// Units: ns since 1970; a fixed day plus the virtual time.
  std::int64_t wall_clock() const;
  /// Advances in steps of 1 ms until `done` returns true. Returns false if `limit` of virtual time has passed first.
  bool run_until(const std::function<bool()>& done, runtime::Duration limit);
};

class SimPeer {
 public:
  struct Options {
    std::vector<std::string> peers;
    runtime::Duration settle = std::chrono::milliseconds(100);
    runtime::Duration ping = std::chrono::seconds(10);
    runtime::Duration lost = std::chrono::seconds(25);
    runtime::Duration shutdown_timeout = std::chrono::seconds(2);
    std::size_t parallel = 3;
    discovery::Discovery* discovery = nullptr;  ///< must outlive the run
    discovery::NetworkMonitor* network = nullptr;
    std::function<std::vector<api::LocalInterface>()> list_interfaces;
    std::function<bool()> can_listen;
    std::function<void(std::span<std::uint8_t>)> tamper;  ///< changes the bytes it sends
    std::vector<std::string> roots = {"/library"};
    std::vector<std::string> automatic;
    access::Access access;
    store::Disk* disk = nullptr;  ///< wraps its own disk; must outlive the run
    /// Makes the network to use instead of an endpoint on the simulated network.
    std::function<std::unique_ptr<api::Network>(runtime::Scope& net)> make_network;
    Options() = default;
  };

  /// Listens on `ip`:24747.
  SimPeer(SimWorld& world, std::string name, const std::string& ip);
  /// Stops it if it is running.
  ~SimPeer();

  /// May be called again after a stop; disk, store and identity are kept.
  void start(Options options);
  /// Ends it like a power cut: the disk loses unsynced writes, other peers receive nothing. Resets the event counts.
  void crash(std::uint64_t seed);
  /// Shuts down, if necessary, and waits until every task has ended.
  void stop();
  void request_shutdown() { handle_->shutdown(); }
  bool stopped() const noexcept { return stopped_; }
  const api::RuntimeExit& exit() const noexcept { return exit_; }
  /// Sends a command and advances the world until the answer arrives.
  template <class C>
  Result<typename C::Reply> ask(C command) {
    std::optional<Result<typename C::Reply>> answer;
    handle_->sender().send(std::move(command), [&](Result<typename C::Reply> reply) { answer = std::move(reply); });
    world_.run_until([&] { return answer.has_value(); }, std::chrono::minutes(2));
    if (!answer) return fail(ErrorCode::internal, "no answer");
    return std::move(*answer);
  }
  /// Number of events of that name so far.
  std::size_t count(std::string_view event) const;
  /// Number of log lines of that level so far that contain `text`.
  std::size_t logged(LogLevel level, std::string_view text) const;

  MemoryDisk disk;
  TableResolver resolver;  ///< resolves no name
  /// Makes every write to the store fail, or succeed again.
  void fail_store(bool failing) { failing_store_->failing = failing; }
  const std::string name;
  const std::string address;

  const PeerId& id() const noexcept { return identity_.id(); }
  api::PeerRuntimeHandle& handle() { return *handle_; }
  /// Drops the last handle, so that no command can arrive any more.
  void drop_handle() { handle_.reset(); }
  /// Number of running tasks on both loops.
  std::size_t tasks() const { return scope_ ? scope_->size() : 0; }
  /// Number of running tasks of that name.
  std::size_t tasks(std::string_view task_name) const;
  bool workers_idle() const { return workers_->outstanding() == 0 && store_thread_->outstanding() == 0; }

 private:
  SimWorld& world_;
  std::uint64_t seed_;
  net::Identity identity_;
  std::unique_ptr<Random> random_;
  std::unique_ptr<runtime::ManualWorkers> workers_;
  std::unique_ptr<runtime::ManualWorkers> store_thread_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<FailingStore> failing_store_;
  std::unique_ptr<runtime::CancellationSource> never_;
  std::unique_ptr<runtime::Scope> scope_;
  std::optional<api::PeerRuntimeHandle> handle_;
  std::vector<std::string> events_;
  std::vector<std::pair<LogLevel, std::string>> log_;
  runtime::Event end_of_hang_;
  std::unique_ptr<api::TestHooks> hooks_;
  api::RuntimeExit exit_;
  bool stopped_ = true;
  unsigned starts_ = 0;
};

}  // namespace peer::test
