// AvahiDiscovery: Discovery through avahi-daemon.
//
// Avahi's client blocks on D-Bus, so it has a thread and a loop of its own: between it and the control loop go posted
// messages only. A daemon that is missing, restarts or hangs is told of once and tried again for ever, with back-off.
// Cancel: the thread is asked to stop; one that sits in a D-Bus call has its socket shut down; one that even then does
// not end is abandoned: it owns all it touches and reaches nobody any more.
#pragma once

#include <memory>

#include "libpeer/base/log.h"
#include "libpeer/discovery/discovery.h"
#include "libpeer/discovery/interface_filter.h"
#include "libpeer/runtime/scope.h"

namespace peer::discovery {

class AvahiDiscovery final : public Discovery {
 public:
  AvahiDiscovery(runtime::Executor& control, InterfaceFilter interfaces, Log log);
  ~AvahiDiscovery() override;

  runtime::Task<void> run(Record self, std::uint16_t port, std::function<void(Event)> tell,
                          runtime::CancellationToken token) override;
  void set_revision(std::uint64_t revision) override;
  void prefer(const PeerId& id) override;
  void look_again(const PeerId& id) override;
  void network_changed() override;

 private:
  class Thread;
  runtime::Task<void> serve(Thread& thread, const std::function<void(Event)>& tell, runtime::CancellationToken token);
  runtime::Task<void> stop(Thread& thread);

  runtime::Executor& control_;
  const InterfaceFilter interfaces_;
  const Log log_;
  std::shared_ptr<Thread> thread_;  ///< of the run under way
  std::weak_ptr<Thread> abandoned_;
};

}  // namespace peer::discovery
