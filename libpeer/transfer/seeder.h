// Seeder: answers requests for what the library offers: documents, manifests, files and spans of chunks; and for what
// is verified of a version that is still being downloaded. Net loop only.
//
// It needs no more than an executor, an immutable snapshot of the library and the disk. Reads run on workers; the
// writer's back-pressure and one byte budget bound what is in memory. A file whose stamp is not what the manifest was
// made from is not sent: the answer is 410, or a reset stream if it had begun, and on_changed is told. Limits:
// kSendMemory for payload; encoded manifests are kept up to 16 MiB beside it. A client without a certificate gets no
// chunks, only the documents and files.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "libpeer/base/log.h"
#include "libpeer/library/game_reader.h"
#include "libpeer/library/library.h"
#include "libpeer/net/link.h"
#include "libpeer/protocol/routes.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/store/disk.h"
#include "libpeer/transfer/encoded_manifests.h"
#include "libpeer/transfer/partial_games.h"
#include "libpeer/transfer/rate_limit.h"
#include "libpeer/transfer/send_buffers.h"

namespace peer::transfer {

inline constexpr std::uint64_t kSendMemory = 64 << 20;

class Seeder {
 public:
  struct Stats {
    std::uint64_t bytes_sent = 0;  ///< chunk and file payload handed to the network
    std::uint64_t requests = 0;
    std::map<PeerId, std::uint64_t> sent_to;  ///< the same by peer, for the first kCountedPeers
  };
  static constexpr std::size_t kCountedPeers = 1000;

  Seeder(store::Disk& disk, runtime::Workers& workers, Log log);

  void set_snapshot(std::shared_ptr<const library::Snapshot> snapshot);
  /// The JSON of GET /v1/peer.
  void set_peer_document(std::string json);
  /// What is sent obeys it; must outlive the seeder.
  void set_limit(RateLimit* limit) noexcept { limit_ = limit; }
  /// Asked before each part of a body: whether whom it goes to may still have it. Otherwise the stream is reset.
  void set_still_served(std::function<bool(const net::ServerStream&)> ask) { still_served_ = std::move(ask); }
  /// What is served beside the library; thread-safe.
  PartialGames& partial() noexcept { return partial_; }
  /// Called on the net loop with the game whose file changed under its manifest.
  void on_changed(std::function<void(const std::string& game)> callback);

  /// Serves one request whose route is not the session's; every outcome is an HTTP status or a reset stream.
  runtime::Task<void> serve(net::ServerStream& stream, protocol::Route route, runtime::CancellationToken token);
  /// The answer to who may not have anything, whatever it asked for.
  runtime::Task<void> forbid(net::ServerStream& stream, Error error, runtime::CancellationToken token);
  /// The answer to a path that parse_route() refused.
  runtime::Task<void> refuse(net::ServerStream& stream, protocol::HttpRefusal refusal,
                             runtime::CancellationToken token);

  Stats stats() const { return stats_; }

 private:
  void count_sent(const std::optional<PeerId>& peer, std::uint64_t bytes);
  /// A response with one body that is in memory.
  runtime::Task<void> send(net::ServerStream& stream, net::ResponseHead head, net::SharedBytes body,
                           runtime::CancellationToken token);
  runtime::Task<void> send_text(net::ServerStream& stream, std::string text, runtime::CancellationToken token);
  runtime::Task<void> send_error(net::ServerStream& stream, protocol::HttpStatus status, Error error,
                                 runtime::CancellationToken token);
  /// With a field `allow`, unless it is empty.
  runtime::Task<void> send_error(net::ServerStream& stream, protocol::HttpStatus status, Error error,
                                 std::string_view allow, runtime::CancellationToken token);
  runtime::Task<void> send_manifest(net::ServerStream& stream, protocol::ManifestRoute route,
                                    runtime::CancellationToken token);
  runtime::Task<void> send_file(net::ServerStream& stream, protocol::FileRoute route, runtime::CancellationToken token);
  runtime::Task<void> send_chunks(net::ServerStream& stream, protocol::ChunksRoute route,
                                  runtime::CancellationToken token);
  /// Bytes of a game, from a place on.
  struct Content {
    std::unique_ptr<library::ContentReader> reader;
    library::ContentReader::Position from;
    std::uint64_t length = 0;
    std::string game;
    std::optional<Digest> hash = {};  ///< of a single chunk that is to be checked first
    bool staged = false;              ///< of a download
  };
  /// The head's content length is set.
  runtime::Task<void> send_content(net::ServerStream& stream, net::ResponseHead head, Content content,
                                   runtime::CancellationToken token);
  std::shared_ptr<const library::LocalGame> find(const std::string& game) const;
  /// What holds a span of a version; null: nothing here does.
  struct Holder {
    std::shared_ptr<const library::OfferedGame> version;
    std::unique_ptr<library::ContentReader> reader;  ///< null: it lacks some of the span
    bool staged = false;
  };
  Holder find(const protocol::ChunksRoute& route);
  /// Spans are held back by this side: by the limit, or by the disk.
  bool holds_back() const;
  runtime::TimePoint clock_now() const { return limit_ != nullptr ? limit_->now() : runtime::TimePoint{}; }

#if PEERD_TEST_HOOKS
 public:
  void set_tamper(std::function<void(std::span<std::uint8_t>)> tamper) { tamper_ = std::move(tamper); }

 private:
  std::function<void(std::span<std::uint8_t>)> tamper_;
#endif
  RateLimit* limit_ = nullptr;  ///< null: none
  store::Disk& disk_;
  runtime::Workers& workers_;
  Log log_;
  std::shared_ptr<const library::Snapshot> snapshot_;
  PartialGames partial_;
  std::string peer_document_ = "{}";
  std::function<void(const std::string&)> on_changed_;
  SendBuffers buffers_;
  EncodedManifests manifests_;
  Stats stats_;
  std::function<bool(const net::ServerStream&)> still_served_;
  // Where the time of the latest spans went: reading the disk, or waiting for the network.
  runtime::Duration reading_{};
  runtime::Duration waiting_{};
  runtime::TimePoint last_sent_ = runtime::TimePoint{} - std::chrono::hours(1);
};

}  // namespace peer::transfer
