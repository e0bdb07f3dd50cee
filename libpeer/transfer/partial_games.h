// PartialGames: the downloads under way whose verified and written chunks are served to other peers.
//
// Downloads add and remove their game on the control loop, and the seeder finds it on the net loop. A request keeps its
// PartialGame if the download ends meanwhile. The staged files may then vanish at any time: the read fails, or
// the receiver finds a wrong chunk by its hash.
// Loop: any thread.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "libpeer/base/digest.h"
#include "libpeer/library/game_reader.h"
#include "libpeer/library/library.h"
#include "libpeer/staging/staging.h"

namespace peer::transfer {

struct PartialGame {
  std::string game;
  std::shared_ptr<const library::OfferedGame> version;  ///< without stamps
  std::shared_ptr<staging::Staging> staging;
  std::atomic<bool> over = false;  ///< the download has ended: no more reads
};

class PartialGames {
 public:
  /// Adds a game, or replaces the entry of the same game, which is then over.
  void put(std::shared_ptr<PartialGame> game);
  void remove(const std::string& game);
  /// Null if the game is not being downloaded.
  std::shared_ptr<const PartialGame> find(const std::string& game) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<PartialGame>> games_;
};

/// Reads staged files. Fails: not_found after the download has ended; disk_error.
class StagedReader final : public library::ContentReader {
 public:
  explicit StagedReader(std::shared_ptr<const PartialGame> game) : game_(std::move(game)) {}
  Result<void> fill(Position& at, std::span<std::uint8_t> into) override;

 private:
  std::shared_ptr<const PartialGame> game_;
  std::shared_ptr<store::File> file_;
  std::size_t open_file_ = 0;
};

}  // namespace peer::transfer
