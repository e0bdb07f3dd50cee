#include "libpeer/library/game_reader.h"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/library/directory_cursor.h"
#include "libpeer/protocol/path.h"

namespace peer::library {

namespace {

/// Whether the error means that the file was removed or replaced.
bool is_gone(const Error& error) {
  return error.code == ErrorCode::refused || error.system == ENOENT || error.system == ENOTDIR ||
         error.system == ELOOP || error.system == EISDIR;
}

}  // namespace

GameReader::GameReader(store::Disk& disk, std::shared_ptr<const library::LocalGame> game,
                       std::shared_ptr<const library::OfferedGame> offered)
    : disk_(disk), game_(std::move(game)), offered_(std::move(offered)) {
  PEER_CHECK(offered_->stamps.size() == offered_->document->manifest.files.size());
}

Result<void> GameReader::fill(Position& at, std::span<std::uint8_t> into) {
  const auto& files = offered_->document->manifest.files;
  while (!into.empty()) {
    PEER_CHECK(at.file < files.size());
    const std::uint64_t left = files[at.file].size - at.offset;
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, into.size()));
    if (count > 0) {
      if (Result<void> opened = open(at.file); !opened) {
        if (is_gone(opened.error())) return changed(at.file);
        return opened;
      }
      if (Result<void> same = check_stamp(at.file); !same) return same;
      const auto read = file_->read_at(into.first(count), at.offset);
      if (!read) return std::unexpected(read.error());
      if (*read != count) return changed(at.file);
      if (Result<void> same = check_stamp(at.file); !same) return same;
    }
    into = into.subspan(count);
    at.offset += count;
    if (at.offset == files[at.file].size) at = {at.file + 1, 0};
  }
  return {};
}

Result<void> GameReader::open(std::size_t file) {
  if (file_ && open_file_ == file) return {};
  file_.reset();
  if (!top_) {
    auto top = library::open_game(disk_, game_->root, game_->id, game_->bounds.get());
    if (!top) return std::unexpected(top.error());
    top_ = std::move(*top);
  }
  const std::string_view path = offered_->document->manifest.files[file].path;
  const std::size_t slash = path.rfind('/');
  const std::string_view parent = slash == path.npos ? std::string_view() : path.substr(0, slash);
  if (parent != directory_path_) {
    directory_.reset();
    directory_path_.clear();
    std::unique_ptr<store::Directory> at;
    for (std::string_view rest = parent; !rest.empty();) {
      const std::size_t end = std::min(rest.find('/'), rest.size());
      auto next = (at ? *at : *top_).open_directory(rest.substr(0, end), false);
      if (!next) return std::unexpected(next.error());
      at = std::move(*next);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    directory_ = std::move(at);
    directory_path_ = parent;
  }
  const std::string_view name = slash == path.npos ? path : path.substr(slash + 1);
  auto opened = (directory_ ? *directory_ : *top_).open_file(name, store::OpenMode::read);
  if (!opened) return std::unexpected(opened.error());
  file_ = std::move(*opened);
  open_file_ = file;
  return {};
}

Result<void> GameReader::check_stamp(std::size_t file) {
  const auto info = file_->info();
  if (!info) return std::unexpected(info.error());
  const store::FileStamp stamp{info->size, info->mtime, info->ctime, info->inode};
  if (stamp != offered_->stamps[file]) return changed(file);
  return {};
}

std::unexpected<Error> GameReader::changed(std::size_t file) const {
  return fail(ErrorCode::invalid, protocol::printable(offered_->document->manifest.files[file].path) + " of " +
                                      game_->id + " has changed since it was hashed; it is now hashed again");
}

}  // namespace peer::library
