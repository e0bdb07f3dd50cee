// PartialGames: what is being downloaded, as far as it may be served already: the chunks that are verified and written.
//
// Any thread: downloads put in and take out on the control loop, the seeder looks up on the net loop. A request that is
// under way when its download ends keeps what it reads from, which may vanish from the disk at any time: then it fails,
// and the chunks' hashes tell the receiver whatever else may have gone wrong.
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
  std::atomic<bool> over = false;  ///< nothing more is to be read
};

class PartialGames {
 public:
  /// One a game; another one of that game is over.
  void put(std::shared_ptr<PartialGame> game);
  void remove(const std::string& game);
  /// Null if it is not being downloaded.
  std::shared_ptr<const PartialGame> find(const std::string& game) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<PartialGame>> games_;
};

/// Reads staged files. Fails: not_found when the download is over; disk_error.
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
