// MemoryNetwork: Transports and Links without packets, for simulations of hundreds of peers.
//
// It satisfies the contract of net/link.h (tests/contract/net/link_contract_test.cc) and loses nothing. Loop: any one
// loop.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "libpeer/net/link.h"
#include "libpeer/runtime/event.h"
#include "libpeer/runtime/scope.h"

namespace peer::test {

class MemoryTransport;

/// Must outlive its transports.
class MemoryNetwork {
 public:
  struct Stats {
    std::uint64_t links = 0;      ///< dialed so far
    std::uint64_t requests = 0;   ///< so far
    std::uint64_t messages = 0;   ///< written pieces of bodies
    std::uint64_t bytes = 0;      ///< in those pieces
    std::size_t links_alive = 0;  ///< now
  };

  explicit MemoryNetwork(runtime::Executor& executor) : executor_(executor) {}

  /// The Transport of a peer at this address. Its tasks run in a scope below `scope`.
  std::unique_ptr<MemoryTransport> attach(runtime::Scope& scope, const net::SocketAddress& address, const PeerId& id);
  runtime::Executor& executor() noexcept { return executor_; }
  const Stats& stats() const noexcept { return stats_; }

 private:
  friend class MemoryTransport;
  friend struct MemoryConnection;
  friend struct MemoryPipe;

  runtime::Executor& executor_;
  std::map<net::SocketAddress, MemoryTransport*> transports_;
  Stats stats_;
};

class MemoryTransport final : public net::Transport {
 public:
  MemoryTransport(MemoryNetwork& network, runtime::Scope& scope, const net::SocketAddress& address, const PeerId& id);
  /// run() must have returned, or never have started.
  ~MemoryTransport() override;

  /// The outermost task, like Endpoint::run(). Cancel: closes every link and joins every handler, then returns.
  runtime::Task<void> run(runtime::CancellationToken token);

  net::SocketAddress local_address() const override { return address_; }
  runtime::Task<Result<std::unique_ptr<net::Link>>> dial(net::SocketAddress address, std::optional<PeerId> expected,
                                                         runtime::CancellationToken token) override;
  runtime::Task<void> serve(net::RequestHandler handler, runtime::CancellationToken token) override;

 private:
  friend struct MemoryConnection;
  struct Serving;

  void close_connections(bool inbound_only, const char* reason);

  MemoryNetwork& network_;
  runtime::Scope scope_;
  net::SocketAddress address_;
  PeerId id_;
  std::map<std::uint64_t, std::weak_ptr<struct MemoryConnection>> connections_;
  std::shared_ptr<Serving> serving_;
  runtime::Event stopped_;
  bool stopping_ = false;
};

}  // namespace peer::test
