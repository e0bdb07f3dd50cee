#include "libpeer/library/hash_stream.h"

#include <algorithm>
#include <cerrno>

#include "libpeer/protocol/limits.h"
#include "libpeer/protocol/manifest.h"

namespace peer::library {

HashStream::HashStream(store::Disk& disk, HashWork& work, std::atomic<std::uint64_t>& bytes_read)
    : disk_(disk), work_(work), bytes_read_(bytes_read), buffer_(protocol::kChunkSize) {}

HashSlice HashStream::run(std::int64_t now, const runtime::StopFlag& stop) {
  HashSlice slice;
  while (slice.bytes < kHashSliceBytes && slice.files.size() < kHashSliceFiles) {
    if (stop.requested()) {
      current_.reset();
      slice.done = true;
      return slice;
    }
    std::optional<HashedFile> finished;
    if (!current_) {
      const std::size_t next = work_.next.fetch_add(1, std::memory_order_relaxed);
      if (next >= work_.files.size()) {
        slice.done = true;
        return slice;
      }
      finished = begin(work_.files[next], now);
    } else {
      finished = read_chunk(slice.bytes);
    }
    if (finished) slice.files.push_back(std::move(*finished));
  }
  return slice;
}

std::optional<HashedFile> HashStream::begin(std::size_t file, std::int64_t now) {
  current_ = FileInProgress{.file = file, .handle = nullptr, .begun = now, .chunks = {}};
  const ScannedFile& scanned = work_.scan->files[file];
  if (!cursor_) {
    auto top = open_game(disk_, work_.root, work_.game, work_.bounds.get());
    if (!top) return failed(top.error());
    cursor_.emplace(std::move(*top));
  }
  const auto directory = cursor_->parent_of(scanned.path);
  if (!directory) return failed(directory.error());
  auto handle = (*directory)->open_file(name_of(scanned.path), store::OpenMode::read);
  if (!handle) return failed(handle.error());
  const auto info = (*handle)->info();
  if (!info) return failed(info.error());
  if (stamp_of(*info) != scanned.stamp) return end(HashOutcome::changed);
  current_->handle = std::move(*handle);
  current_->chunks.reserve(
      static_cast<std::size_t>((scanned.stamp.size + protocol::kChunkSize - 1) / protocol::kChunkSize));
  return std::nullopt;
}

std::optional<HashedFile> HashStream::read_chunk(std::uint64_t& bytes) {
  const store::FileStamp& stamp = work_.scan->files[current_->file].stamp;
  const std::uint64_t size = std::min(protocol::kChunkSize, stamp.size - current_->offset);
  if (size > 0) {
    const std::span chunk(buffer_.data(), static_cast<std::size_t>(size));
    const auto count = current_->handle->read_at(chunk, current_->offset);
    if (!count) return failed(count.error());
    bytes_read_.fetch_add(*count, std::memory_order_relaxed);
    bytes += *count;
    if (*count < size) return end(HashOutcome::changed);
    current_->chunks.push_back(protocol::hash(chunk));
    current_->offset += size;
  }
  if (current_->offset < stamp.size) return std::nullopt;
  const auto info = current_->handle->info();
  if (!info) return failed(info.error());
  return end(stamp_of(*info) == stamp ? HashOutcome::hashed : HashOutcome::changed);
}

HashedFile HashStream::end(HashOutcome outcome, std::string reason) {
  HashedFile file{current_->file, outcome, std::move(current_->chunks), current_->begun, std::move(reason)};
  current_.reset();
  return file;
}

HashedFile HashStream::failed(const Error& error) {
  // These errors mean that the file was removed or replaced since the scan.
  const bool replaced = error.system == ENOENT || error.system == ENOTDIR || error.system == ELOOP ||
                        error.system == EISDIR || error.system == EINVAL;
  return end(replaced ? HashOutcome::changed : HashOutcome::unreadable, error.message);
}

}  // namespace peer::library
