// NodeParts: the parts of a running node on its control loop, and how events and callbacks connect them.
//
// Owns: the parts. Created after the net loop is open; destroyed after every task of the parts has ended. Loop:
// control.
#pragma once

#include <string>

#include "libpeer/api/peer_options.h"
#include "libpeer/downloads/downloads.h"
#include "libpeer/library/library.h"
#include "libpeer/node/access_list_store.h"
#include "libpeer/node/command_router.h"
#include "libpeer/node/discovery_service.h"
#include "libpeer/node/event_emitter.h"
#include "libpeer/node/game_overview.h"
#include "libpeer/node/game_verifier.h"
#include "libpeer/node/library_announcer.h"
#include "libpeer/node/library_readiness.h"
#include "libpeer/node/listener.h"
#include "libpeer/node/net_loop.h"
#include "libpeer/node/node_status.h"
#include "libpeer/node/quic_service.h"
#include "libpeer/node/services.h"
#include "libpeer/sessions/peers.h"

namespace peer::node {

/// Objects of NodeRuntime that the parts use. All of them outlive the parts.
struct NodeBase {
  const api::PeerOptions& options;
  runtime::Scope& root;  ///< the node's scope on the control loop
  Listener& listener;
  NetLoop& net;
  EventEmitter& events;
  NodeFailed failed;
  runtime::TimePoint started;
};

class NodeParts {
 public:
  /// Downloads run in scopes below `work`.
  NodeParts(NodeBase base, runtime::Scope& work);

  /// The four services, and the announcements of the library.
  void start_services(runtime::Scope& required, runtime::Scope& restartable);
  CommandHandlers make_handlers();

 private:
  NodeBase base_;

 public:
  library::Library library;
  sessions::Peers peers;
  downloads::Downloads downloads;
  GameVerifier verifier;
  GameOverview games;
  LibraryReadiness readiness;
  AccessListStore<sessions::Ban> bans;
  AccessListStore<std::string> pairings;
  Services services;
  QuicService quic;
  LibraryAnnouncer announcer;
  DiscoveryService discovery;
  NodeStatus status;

 private:
  library::LibraryOptions library_options() const;
  sessions::PeersOptions peers_options();
  downloads::DownloadsOptions downloads_options();
  transfer::DownloadContext download_context();
  AccessListStore<sessions::Ban> make_bans();
  AccessListStore<std::string> make_pairings();
  void on_peer_event(const api::Event& event);
  void on_download_event(const api::Event& event);
  void on_library_change(bool offered);
};

}  // namespace peer::node
