// GameReader: bytes of an offered game's files, as long as they are what the manifest was made from.
//
// Every call blocks; one at a time. It keeps the directory and file used last open. Only the game itself may be a
// symlink.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "libpeer/base/result.h"
#include "libpeer/library/library.h"
#include "libpeer/store/disk.h"

namespace peer::library {

/// A game's bytes, wherever they lie.
class ContentReader {
 public:
  /// A place in the game's bytes: all files in manifest order.
  struct Position {
    std::size_t file = 0;
    std::uint64_t offset = 0;
  };
  virtual ~ContentReader() = default;
  /// Fills `into` with the bytes from `at` on, which must be that many, and moves `at` behind them.
  virtual Result<void> fill(Position& at, std::span<std::uint8_t> into) = 0;
};

class GameReader final : public ContentReader {
 public:
  GameReader(store::Disk& disk, std::shared_ptr<const library::LocalGame> game,
             std::shared_ptr<const library::OfferedGame> offered);

  /// Each file's stamp is compared before and after. Fails: invalid when a file is not (any more) what was hashed;
  /// disk_error.
  Result<void> fill(Position& at, std::span<std::uint8_t> into) override;

 private:
  Result<void> open(std::size_t file);
  Result<void> check_stamp(std::size_t file);
  std::unexpected<Error> changed(std::size_t file) const;

  store::Disk& disk_;
  std::shared_ptr<const library::LocalGame> game_;
  std::shared_ptr<const library::OfferedGame> offered_;
  std::unique_ptr<store::Directory> top_;
  std::string directory_path_;
  std::unique_ptr<store::Directory> directory_;  // null: top_
  std::size_t open_file_ = 0;
  std::unique_ptr<store::File> file_;
};

}  // namespace peer::library
