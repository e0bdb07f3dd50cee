// LibraryAnnouncer: announces changes of the library: to the seeder, to peers, by mDNS, and as an event. Loop: control.
#pragma once

#include "libpeer/api/peer_options.h"
#include "libpeer/library/library.h"
#include "libpeer/node/event_emitter.h"
#include "libpeer/node/library_news.h"
#include "libpeer/node/listener.h"
#include "libpeer/node/net_loop.h"
#include "libpeer/runtime/event.h"
#include "libpeer/sessions/peers.h"

namespace peer::node {

class LibraryAnnouncer {
 public:
  LibraryAnnouncer(const api::PeerOptions& options, const Listener& listener, const library::Library& library,
                   sessions::Peers& peers, NetLoop& net, EventEmitter& events)
      : options_(options), listener_(listener), library_(library), peers_(peers), net_(net), events_(events) {}

  /// Announces each change until cancelled.
  runtime::Task<void> run(runtime::CancellationToken token);
  /// There is a new snapshot; `offered`: it offers other versions.
  void on_snapshot(bool offered) {
    offered_changed_ = offered_changed_ || offered;
    changed_.set();
  }
  /// After run() has failed: makes the next run announce everything again.
  void announce_again() noexcept { offered_changed_ = true; }

 private:
  runtime::Task<void> tell_seeder(std::shared_ptr<const library::Snapshot> snapshot, bool offered);

  const api::PeerOptions& options_;
  const Listener& listener_;
  const library::Library& library_;
  sessions::Peers& peers_;
  NetLoop& net_;
  EventEmitter& events_;
  runtime::Event changed_;
  bool offered_changed_ = true;
  LibraryNews news_;
  Digest announced_digest_ = protocol::library_digest({});  ///< of the offer that the last LocalLibraryChanged reported
};

}  // namespace peer::node
