// GameReader: reads the content of an offered game, and fails if a file has changed since it was hashed.
//
// It keeps the last directory and file open. Only the game itself may be a symlink. Loop: none; a worker, one call at a
// time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "libpeer/base/result.h"
#include "libpeer/library/library.h"
#include "libpeer/store/disk.h"

namespace peer::library {

/// Reads a game's content from the library or from a staging directory.
class ContentReader {
 public:
  /// A position in the concatenation of all files, in manifest order.
  struct Position {
    std::size_t file = 0;
    std::uint64_t offset = 0;
  };
  virtual ~ContentReader() = default;
  /// Fills `into` with the content at `at`, and advances `at`. The content must not end before `into` is full.
  virtual Result<void> fill(Position& at, std::span<std::uint8_t> into) = 0;
};

class GameReader final : public ContentReader {
 public:
  GameReader(store::Disk& disk, std::shared_ptr<const library::LocalGame> game,
             std::shared_ptr<const library::OfferedGame> offered);

  /// Compares each file's stamp before and after reading. Fails: invalid if a file differs from what was hashed;
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
  std::unique_ptr<store::Directory> directory_;  ///< null: top_
  std::size_t open_file_ = 0;
  std::unique_ptr<store::File> file_;
};

}  // namespace peer::library
