// ContentSender: sends bytes of a game as a response body, batch by batch.
//
// Reads run on workers. SendBuffers bounds what is in memory and shares it among remotes: a batch is read when its
// stream can send it soon. The head is sent with the first bytes, so that an unreadable file still gets an error
// status; a failure after that resets the stream, and so does a reader that blocks others for kSendProgressDeadline.
// Loop: net.
// Owns: the buffers; the rate limit must outlive it.
// Limits: protocol::kSendMemory bytes of payload.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "libpeer/base/log.h"
#include "libpeer/library/game_reader.h"
#include "libpeer/net/link.h"
#include "libpeer/protocol/http_status.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/transfer/rate_limit.h"
#include "libpeer/transfer/send_buffers.h"

namespace peer::transfer {

/// Consecutive bytes of a game.
struct GameBytes {
  std::unique_ptr<library::ContentReader> reader;
  library::ContentReader::Position from;
  std::uint64_t length = 0;
  std::string game;
  std::optional<Digest> hash = {};  ///< set if the bytes are one chunk that must be verified before it is sent
  bool staged = false;              ///< read from a download's staging
};

class ContentSender {
 public:
  /// Payload handed to the network.
  struct SentPayload {
    std::uint64_t bytes = 0;
    std::map<PeerId, std::uint64_t> by_peer;  ///< for the first kCountedPeers peers
  };
  static constexpr std::size_t kCountedPeers = 1000;

  ContentSender(runtime::Executor& executor, runtime::Workers& workers, Log log);

  void set_limit(RateLimit* limit) noexcept { limit_ = limit; }
  /// `ask` is called before each batch and returns whether the stream's peer may still receive. If not, the stream is
  /// reset.
  void set_still_served(std::function<bool(const net::ServerStream&)> ask) { still_served_ = std::move(ask); }
  /// Called with a game whose file changed under its manifest.
  void on_changed(std::function<void(const std::string& game)> callback) { on_changed_ = std::move(callback); }
  /// `ask` tells whether requests wait for other memory that responses hold.
  void set_others_wait(std::function<bool()> ask) { buffers_.set_others_wait(std::move(ask)); }
  /// Test hook: changes each batch before it is sent.
  void set_tamper(std::function<void(std::span<std::uint8_t>)> tamper) { tamper_ = std::move(tamper); }

  /// Sends `bytes` with `head`. Errors become a status or a reset stream. Cancel: throws Cancelled.
  runtime::Task<void> send(net::ServerStream& stream, net::ResponseHead head, GameBytes bytes,
                           runtime::CancellationToken token);
  /// Sends the bytes of a document. Cancel: throws Cancelled.
  runtime::Task<void> send(net::ServerStream& stream, net::ResponseHead head, net::SharedBytes document,
                           runtime::CancellationToken token);
  /// Whether this side's limit or disk holds back the sending.
  bool holds_back() const;
  const SentPayload& sent() const noexcept { return sent_; }
  /// Bytes of payload in memory.
  std::uint64_t memory() const noexcept { return buffers_.used(); }

 private:
  using Flow = std::shared_ptr<SendBuffers::ResponseFlow>;
  /// A buffer for the next part of `bytes`; null if the reader blocks others.
  runtime::Task<SendBuffers::Buffer> next_buffer(const Flow& flow, const GameBytes& bytes, std::uint64_t length,
                                                 runtime::CancellationToken token);
  /// Ends the response, and resets it after all if its last bytes are not read while others wait.
  runtime::Task<void> finish(net::ServerStream& stream, const Flow& flow, runtime::CancellationToken token);
  runtime::Task<Result<void>> read_batch(GameBytes& bytes, std::span<std::uint8_t> into,
                                         runtime::CancellationToken token);
  /// The status for a read that failed. Reports a game that has changed.
  protocol::HttpStatus note_failure(const GameBytes& bytes, const Error& error);
  void count_sent(const std::optional<PeerId>& peer, std::uint64_t bytes);

  runtime::Executor& executor_;
  runtime::Workers& workers_;
  Log log_;
  RateLimit* limit_ = nullptr;  ///< null: no limit
  SendBuffers buffers_;
  std::function<bool(const net::ServerStream&)> still_served_;
  std::function<void(const std::string&)> on_changed_;
  std::function<void(std::span<std::uint8_t>)> tamper_;
  SentPayload sent_;
  // How the time of the latest spans was spent: reading the disk, or waiting for the network.
  runtime::Duration reading_{};
  runtime::Duration waiting_{};
  runtime::TimePoint last_sent_ = runtime::TimePoint{} - std::chrono::hours(1);
};

}  // namespace peer::transfer
