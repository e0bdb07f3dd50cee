#include "libpeer/net/resolver.h"

#include <netdb.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "libpeer/runtime/thread_workers.h"
#include "support/net/table_resolver.h"
#include "support/run_task.h"

using namespace std::chrono_literals;
using peer::ErrorCode;
using peer::net::literal_address;
using peer::net::SocketAddress;
namespace runtime = peer::runtime;

namespace {

using Addresses = peer::Result<std::vector<SocketAddress>>;

struct NoWorkers final : runtime::Workers {
  std::vector<Job> jobs;
  void submit(Job job) override { jobs.push_back(std::move(job)); }
};

SocketAddress at(std::string_view text) { return *SocketAddress::parse(text); }

}  // namespace

TEST_CASE("Addresses in text form need no lookup") {
  runtime::ManualExecutor executor;
  NoWorkers workers;
  const auto resolver = peer::net::system_resolver(workers);
  const auto result = peer::test::run_task(executor, resolver->resolve("10.0.0.1", 7, {}));
  REQUIRE(result);
  CHECK(*result == std::vector<SocketAddress>{at("10.0.0.1:7")});
  CHECK(workers.jobs.empty());

  CHECK(literal_address("::1", 7) == at("[::1]:7"));
  CHECK(literal_address("[::1]", 7) == at("[::1]:7"));
  CHECK(literal_address("fe80::1%lo", 7) == at("[fe80::1%lo]:7"));
  for (const char* text : {"", "host", "1.2.3.4:5", "[::1]:5", "::1:", "[::1", "1.2.3"}) {
    INFO(text);
    CHECK_FALSE(literal_address(text, 7));
  }
}

TEST_CASE("Text that is not a host name is rejected without a lookup") {
  runtime::ManualExecutor executor;
  NoWorkers workers;
  const auto resolver = peer::net::system_resolver(workers);
  for (const std::string& host : {std::string(), std::string("a b"), std::string("a\0b", 3), std::string("host:5"),
                                  std::string("a/b"), std::string(254, 'a')}) {
    const auto result = peer::test::run_task(executor, resolver->resolve(host, 7, {}));
    REQUIRE_FALSE(result);
    CHECK(result.error().code == ErrorCode::invalid);
  }
  CHECK(workers.jobs.empty());
}

TEST_CASE("HOST[:PORT] parses to a host and a port") {
  using peer::net::HostPort;
  using peer::net::parse_host_port;
  const std::uint16_t standard = peer::net::kDefaultPort;
  CHECK(parse_host_port("den") == HostPort{"den", standard});
  CHECK(parse_host_port("den.local:1") == HostPort{"den.local", 1});
  CHECK(parse_host_port("192.168.1.20") == HostPort{"192.168.1.20", standard});
  CHECK(parse_host_port("192.168.1.20:65535") == HostPort{"192.168.1.20", 65535});
  CHECK(parse_host_port("fd00::7") == HostPort{"fd00::7", standard});
  CHECK(parse_host_port("[fd00::7]:5") == HostPort{"fd00::7", 5});
  CHECK(parse_host_port("[fe80::1%late0]:5") == HostPort{"fe80::1%late0", 5});  // the interface may appear later
  for (const char* text :
       {"",        " ",       ":5",       "host:",       "host:0",  "host:99999",   "host:65536", "host:-1",
        "host:+1", "host:5x", "http://x", "http://x:5",  "a b",     "a/b",          "[::1",       "[::1]5",
        "[::1]:",  "[::1]:0", "[host]:5", "[1.2.3.4]:5", "1::2::3", "fd00::1%eth0", "fe80::1%",   "0.0.0.0",
        "[::]:5",  "host:5:6"}) {
    INFO(text);
    const auto place = parse_host_port(text);
    REQUIRE_FALSE(place);
    CHECK(place.error().code == ErrorCode::invalid);
    CHECK(place.error().message.starts_with("\"" + std::string(text) + "\" is not HOST[:PORT]: "));
  }
}

TEST_CASE("Names are looked up on a worker") {
  addrinfo* known = nullptr;
  if (getaddrinfo("localhost", nullptr, nullptr, &known) != 0) SKIP("this machine cannot resolve localhost");
  freeaddrinfo(known);
  runtime::ManualExecutor executor;
  runtime::ManualWorkers workers(executor, 1, 1ms);
  const auto resolver = peer::net::system_resolver(workers);
  const auto found = peer::test::run_task(executor, resolver->resolve("localhost", 7, {}));
  REQUIRE(found);
  REQUIRE_FALSE(found->empty());
  for (const SocketAddress& address : *found) {
    CHECK(address.is_loopback());
    CHECK(address.port() == 7);
    CHECK(std::ranges::count(*found, address) == 1);
  }
}

namespace {
runtime::Task<bool> cancelled(peer::net::Resolver& resolver, runtime::CancellationToken token) {
  bool result = false;
  try {
    const auto found = co_await resolver.resolve("some-host", 7, token);
  } catch (const runtime::Cancelled&) {
    result = true;
  }
  co_return result;
}
}  // namespace

TEST_CASE("A lookup that hangs is abandoned when cancelled") {
  runtime::ManualExecutor executor;
  NoWorkers workers;
  const auto resolver = peer::net::system_resolver(workers);
  runtime::CancellationSource stop;
  executor.arm(executor.now() + 1ms, [&] { stop.request(); });
  CHECK(peer::test::run_task(executor, cancelled(*resolver, stop.token())));
  CHECK(workers.jobs.size() == 1);
}

TEST_CASE("The table resolver waits as configured, and can be cancelled") {
  runtime::ManualExecutor executor;
  peer::test::TableResolver resolver(executor);
  resolver.set("some-host", {at("10.0.0.1:1"), at("10.0.0.2:2")});
  const auto found = peer::test::run_task(executor, resolver.resolve("some-host", 7, {}));
  REQUIRE(found);
  CHECK(*found == std::vector<SocketAddress>{at("10.0.0.1:7"), at("10.0.0.2:7")});
  const auto unknown = peer::test::run_task(executor, resolver.resolve("other-host", 7, {}));
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == ErrorCode::unreachable);
  CHECK(resolver.lookups() == 2);
  resolver.set_delay(1h);
  runtime::CancellationSource stop;
  executor.arm(executor.now() + 1ms, [&] { stop.request(); });
  CHECK(peer::test::run_task(executor, cancelled(resolver, stop.token())));
}
