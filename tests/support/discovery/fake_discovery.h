// FakeDiscovery: a Discovery on a network of fakes, which finds the peers that the test adds.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <utility>

#include "libpeer/discovery/discovery.h"
#include "libpeer/runtime/event.h"

namespace peer::test {

class FakeDiscovery final : public discovery::Discovery {
 public:
  runtime::Task<void> run(discovery::Record self, std::uint16_t port, std::function<void(discovery::Event)> report,
                          runtime::CancellationToken token) override {
    struct Stop {
      FakeDiscovery& fake;
      ~Stop() { fake.tell_ = nullptr; }
    };
    const Stop stop{*this};
    record = std::move(self);
    published_port = port;
    tell_ = std::move(report);
    tell_(discovery::Available{});
    runtime::Event never;
    co_await never.wait(token);
  }
  void set_revision(std::uint64_t revision) override { record.revision = revision; }
  void prefer(const PeerId& id) override { proven.insert(id); }
  void resolve_again(const PeerId& id) override { ++looked_again[id]; }
  void network_changed() override { ++network_changes; }

  bool running() const { return tell_ != nullptr; }
  void find(const discovery::Record& other, std::vector<net::SocketAddress> addresses) const {
    tell_(discovery::Found{other, std::move(addresses)});
  }
  void lose(const PeerId& id) const { tell_(discovery::Lost{id}); }
  void fail(const std::string& reason) const { tell_(discovery::Unavailable{reason}); }

  discovery::Record record;  ///< as published
  std::uint16_t published_port = 0;
  std::set<PeerId> proven;
  std::map<PeerId, unsigned> looked_again;
  unsigned network_changes = 0;

 private:
  std::function<void(discovery::Event)> tell_;
};

}  // namespace peer::test
