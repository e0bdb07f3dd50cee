// TableResolver: a Resolver over a table that a test fills.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "libpeer/net/resolver.h"
#include "libpeer/runtime/executor.h"
#include "libpeer/runtime/sleep.h"

namespace peer::test {

class TableResolver final : public net::Resolver {
 public:
  explicit TableResolver(runtime::Executor& executor) : executor_(executor) {}

  /// Ports are ignored.
  void set(std::string host, std::vector<net::SocketAddress> addresses) {
    table_.insert_or_assign(std::move(host), std::move(addresses));
  }
  void forget(const std::string& host) { table_.erase(host); }
  /// How long each lookup takes from now on.
  void set_delay(runtime::Duration delay) { delay_ = delay; }
  std::size_t lookups() const noexcept { return lookups_; }

  runtime::Task<Result<std::vector<net::SocketAddress>>> resolve(std::string host, std::uint16_t port,
                                                                 runtime::CancellationToken token) override {
    token.throw_if_requested();
    if (const auto literal = net::literal_address(host, port)) co_return std::vector<net::SocketAddress>{*literal};
    if (const auto valid = net::check_host(host); !valid) co_return std::unexpected(valid.error());
    ++lookups_;
    if (delay_ > runtime::Duration{}) co_await runtime::sleep_for(executor_, delay_, token);
    const auto found = table_.find(host);
    if (found == table_.end()) co_return fail(ErrorCode::unreachable, "no address for \"" + host + "\"");
    std::vector<net::SocketAddress> result;
    for (const auto& address : found->second) result.push_back(address.with_port(port));
    co_return result;
  }

 private:
  runtime::Executor& executor_;
  std::map<std::string, std::vector<net::SocketAddress>> table_;
  runtime::Duration delay_{};
  std::size_t lookups_ = 0;
};

}  // namespace peer::test
