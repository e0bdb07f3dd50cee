// AvahiDiscovery: Discovery through avahi-daemon.
//
// Avahi's client blocks on D-Bus, so it runs on a thread and loop of its own (AvahiThread). If avahi-daemon is missing,
// restarts or hangs, AvahiDiscovery reports Unavailable once and retries indefinitely, with back-off.
// Cancel: stops the thread. If the thread hangs in a D-Bus call, its socket is shut down. If it still does not end, it
// is abandoned: it owns everything it uses, and it no longer reports anything.
#pragma once

#include <memory>

#include "libpeer/base/log.h"
#include "libpeer/discovery/discovery.h"
#include "libpeer/discovery/interface_filter.h"
#include "libpeer/runtime/scope.h"

namespace peer::discovery {

class AvahiThread;

class AvahiDiscovery final : public Discovery {
 public:
  AvahiDiscovery(runtime::Executor& control, InterfaceFilter interfaces, Log log);
  ~AvahiDiscovery() override;

  runtime::Task<void> run(Record self, std::uint16_t port, std::function<void(Event)> report,
                          runtime::CancellationToken token) override;
  void set_revision(std::uint64_t revision) override;
  void prefer(const PeerId& id) override;
  void resolve_again(const PeerId& id) override;
  void network_changed() override;

 private:
  runtime::Task<void> serve(AvahiThread& thread, const std::function<void(Event)>& report,
                            runtime::CancellationToken token);
  runtime::Task<void> stop(AvahiThread& thread);

  runtime::Executor& control_;
  const InterfaceFilter interfaces_;
  const Log log_;
  std::shared_ptr<AvahiThread> thread_;  ///< of the current run
  std::weak_ptr<AvahiThread> abandoned_;
};

}  // namespace peer::discovery
