// Seeder: answers requests for what the library offers: documents, manifests, files and spans of chunks. Net loop only.
//
// It needs no more than an executor, an immutable snapshot of the library and the disk. Reads run on workers; the writer's
// back-pressure and one byte budget bound what is in memory. A file whose stamp is not what the manifest was made from is not
// sent: the stream is reset and on_changed told.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "library/library.h"
#include "net/link.h"
#include "protocol/routes.h"
#include "runtime/workers.h"
#include "store/disk.h"
#include "transfer/byte_budget.h"

namespace peer::transfer {

class Seeder {
 public:
  struct Stats {
    std::uint64_t bytes_sent = 0;  ///< chunk and file payload handed to the network
    std::uint64_t requests = 0;
  };
  Seeder(store::Disk& disk, rt::Workers& workers, Log log);

  void set_snapshot(std::shared_ptr<const library::Snapshot> snapshot);
  /// The JSON of GET /v1/peer.
  void set_peer_document(std::string json);
  /// Called on the net loop with the game whose file changed under its manifest.
  void on_changed(std::function<void(const std::string& game)> callback);

  /// Serves one request whose route is not the session's; every outcome is an HTTP status or a reset stream.
  rt::Task<void> serve(net::ServerStream& stream, protocol::Route route, rt::CancellationToken token);
  /// The answer to a path that parse_route() refused.
  rt::Task<void> refuse(net::ServerStream& stream, Error error, rt::CancellationToken token);

  Stats stats() const noexcept { return stats_; }

 private:
  store::Disk& disk_;
  rt::Workers& workers_;
  Log log_;
  std::shared_ptr<const library::Snapshot> snapshot_;
  std::string peer_document_ = "{}";
  std::function<void(const std::string&)> on_changed_;
  ByteBudget budget_;
  Stats stats_;
};

}  // namespace peer::transfer
