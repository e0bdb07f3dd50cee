// ContentSender: sends bytes of a game as a response body, batch by batch.
//
// Reads run on workers. The writer's back-pressure and one budget of buffers bound what is in memory. The head is sent
// with the first bytes, so that an unreadable file still gets an error status; a failure after that resets the stream.
// Loop: net.
// Owns: the buffers; the rate limit must outlive it.
// Limits: kSendMemory bytes of payload.
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

inline constexpr std::uint64_t kSendMemory = 64 << 20;

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

  ContentSender(runtime::Workers& workers, Log log);

  void set_limit(RateLimit* limit) noexcept { limit_ = limit; }
  /// `ask` is called before each batch and returns whether the stream's peer may still receive. If not, the stream is
  /// reset.
  void set_still_served(std::function<bool(const net::ServerStream&)> ask) { still_served_ = std::move(ask); }
  /// Called with a game whose file changed under its manifest.
  void on_changed(std::function<void(const std::string& game)> callback) { on_changed_ = std::move(callback); }
  /// Test hook: changes each batch before it is sent.
  void set_tamper(std::function<void(std::span<std::uint8_t>)> tamper) { tamper_ = std::move(tamper); }

  /// Sends `bytes` with `head`. Errors become a status or a reset stream. Cancel: throws Cancelled.
  runtime::Task<void> send(net::ServerStream& stream, net::ResponseHead head, GameBytes bytes,
                           runtime::CancellationToken token);
  /// Whether this side's limit or disk holds back the sending.
  bool holds_back() const;
  const SentPayload& sent() const noexcept { return sent_; }

 private:
  runtime::Task<Result<void>> read_batch(GameBytes& bytes, std::span<std::uint8_t> into,
                                         runtime::CancellationToken token);
  /// The status for a read that failed. Reports a game that has changed.
  protocol::HttpStatus note_failure(const GameBytes& bytes, const Error& error);
  void count_sent(const std::optional<PeerId>& peer, std::uint64_t bytes);
  runtime::TimePoint clock_now() const { return limit_ != nullptr ? limit_->now() : runtime::TimePoint{}; }

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
