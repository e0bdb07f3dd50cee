// Seeder: answers requests for what this peer offers: documents, manifests, files and spans of chunks, from the library
// and from downloads under way.
//
// It needs only an executor, an immutable snapshot of the library and the disk. A file whose stamp differs from the one
// in the manifest is not sent: the answer is 410, or a reset stream if the response has begun, and on_changed is
// called. A client without a certificate gets documents and files but no chunks.
// Loop: net.
// Limits: protocol::kSendMemory bytes of payload, and protocol::kDocumentMemory of documents.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "libpeer/base/log.h"
#include "libpeer/library/game_reader.h"
#include "libpeer/library/library.h"
#include "libpeer/net/link.h"
#include "libpeer/protocol/routes.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/store/disk.h"
#include "libpeer/transfer/content_sender.h"
#include "libpeer/transfer/documents.h"
#include "libpeer/transfer/partial_games.h"
#include "libpeer/transfer/rate_limit.h"

namespace peer::transfer {

struct SeederStats {
  std::uint64_t bytes_sent = 0;  ///< payload of chunks and files, handed to the network
  std::uint64_t requests = 0;
  std::map<PeerId, std::uint64_t> sent_to;  ///< `bytes_sent` by peer, for the first 1,000 peers
};

class Seeder {
 public:
  Seeder(runtime::Executor& executor, store::Disk& disk, runtime::Workers& workers, Log log);

  void set_snapshot(std::shared_ptr<const library::Snapshot> snapshot);
  /// The JSON of GET /v1/peer.
  void set_peer_document(std::string json);
  /// The library's revision as sessions announce it.
  void set_revision(std::uint64_t revision) noexcept { revision_ = revision; }
  /// Limits the rate of sending. It must outlive the seeder.
  void set_limit(RateLimit* limit) noexcept { sender_.set_limit(limit); }
  /// `ask` is called before each part of a body and returns whether the stream's peer may still receive. If not, the
  /// stream is reset.
  void set_still_served(std::function<bool(const net::ServerStream&)> ask) { sender_.set_still_served(std::move(ask)); }
  /// The downloads that are served beside the library; thread-safe.
  PartialGames& partial() noexcept { return partial_; }
  /// Called on the net loop with a game whose file changed under its manifest.
  void on_changed(std::function<void(const std::string& game)> callback) { sender_.on_changed(std::move(callback)); }
  /// Test hook: changes what is sent.
  void set_tamper(std::function<void(std::span<std::uint8_t>)> tamper) { sender_.set_tamper(std::move(tamper)); }

  /// Serves one request whose route is not the session's. Every outcome is an HTTP status or a reset stream.
  runtime::Task<void> serve(net::ServerStream& stream, protocol::Route route, runtime::CancellationToken token);
  /// Answers 403 to a client that is not admitted, whatever it requests.
  runtime::Task<void> forbid(net::ServerStream& stream, Error error, runtime::CancellationToken token);
  /// Answers a request whose path parse_route() refused.
  runtime::Task<void> refuse(net::ServerStream& stream, protocol::HttpRefusal refusal,
                             runtime::CancellationToken token);

  /// Bytes of responses in memory.
  std::uint64_t send_memory() const noexcept { return sender_.memory(); }
  const Documents& documents() const noexcept { return documents_; }
  SeederStats stats() const { return {sender_.sent().bytes, requests_, sender_.sent().by_peer}; }

 private:
  runtime::Task<void> send_library(net::ServerStream& stream, runtime::CancellationToken token);
  runtime::Task<void> send_manifest(net::ServerStream& stream, protocol::ManifestRoute route,
                                    runtime::CancellationToken token);
  runtime::Task<void> send_file(net::ServerStream& stream, protocol::FileRoute route, runtime::CancellationToken token);
  runtime::Task<void> send_chunks(net::ServerStream& stream, protocol::ChunksRoute route,
                                  runtime::CancellationToken token);
  std::shared_ptr<const library::LocalGame> find_game(const std::string& game) const;
  /// Where a requested span can be read. `version` is null if this peer does not have that version.
  struct SpanContent {
    std::shared_ptr<const library::OfferedGame> version;
    std::unique_ptr<library::ContentReader> reader;  ///< null: some of the span is missing
    bool staged = false;
  };
  SpanContent find_span(const protocol::ChunksRoute& route);

  store::Disk& disk_;
  std::shared_ptr<const library::Snapshot> snapshot_;
  PartialGames partial_;
  std::string peer_document_ = "{}";
  std::uint64_t revision_ = 0;
  ContentSender sender_;
  Documents documents_;
  std::uint64_t requests_ = 0;
};

}  // namespace peer::transfer
