#include "libpeer/staging/verifier.h"

#include <algorithm>
#include <utility>

namespace peer::staging {

Verifier::Verifier(store::Disk& disk, std::string root, std::string game,
                   std::shared_ptr<const protocol::ManifestDocument> document,
                   std::shared_ptr<const library::LinkPolicy> bounds)
    : disk_(disk),
      root_(std::move(root)),
      game_(std::move(game)),
      document_(std::move(document)),
      bounds_(std::move(bounds)),
      bytes_total_(document_->manifest.total_size()) {}

Result<std::uint64_t> Verifier::read(std::uint64_t bytes, const runtime::StopFlag& stop) {
  if (!cursor_) {
    auto top = library::open_game(disk_, root_, game_, bounds_.get());
    if (!top) return std::unexpected(top.error());
    cursor_.emplace(std::move(*top));
    buffer_.resize(protocol::kChunkSize);
  }
  const std::uint64_t before = bytes_read_;
  std::size_t begun = 0;
  constexpr std::size_t kMaxFiles = 256;  // because empty files take time too
  while (!done_ && bytes_read_ - before < bytes && begun < kMaxFiles && !stop.requested()) {
    if (file_ == document_->manifest.files.size()) {
      check_links();
      done_ = true;
    } else if (handle_) {
      read_chunk();
    } else {
      ++begun;
      if (!begin_file()) next_file(false);
    }
  }
  return bytes_read_ - before;
}

bool Verifier::begin_file() {
  const protocol::ManifestFile& file = document_->manifest.files[file_];
  const auto parent = cursor_->parent_of(file.path);
  if (!parent) return false;
  auto handle = (*parent)->open_file(library::name_of(file.path), store::OpenMode::read);
  if (!handle) return false;
  const auto info = (*handle)->info();
  if (!info || info->size != file.size) return false;
  handle_ = std::move(*handle);
  chunk_ = 0;
  if (file.size == 0) next_file(true);
  return true;
}

void Verifier::read_chunk() {
  const protocol::Manifest& manifest = document_->manifest;
  const protocol::ManifestFile& file = manifest.files[file_];
  const std::uint64_t offset = chunk_ * protocol::kChunkSize;
  const auto size = static_cast<std::size_t>(std::min(file.size - offset, protocol::kChunkSize));
  const auto into = std::span(buffer_).first(size);
  const auto count = handle_->read_at(into, offset);
  bytes_read_ += count.value_or(0);
  const bool good = count && *count == size && protocol::hash(into) == manifest.chunks[file.first_chunk + chunk_];
  if (!good) {
    next_file(false);
  } else if (++chunk_ == file.chunk_count()) {
    next_file(true);
  }
}

void Verifier::next_file(bool good) {
  const protocol::ManifestFile& file = document_->manifest.files[file_];
  if (!good) damaged_.push_back(file.path);
  bytes_before_ += file.size;
  chunk_ = 0;
  handle_.reset();
  ++file_;
}

void Verifier::check_links() {
  for (const protocol::ManifestSymlink& link : document_->manifest.symlinks) {
    const auto parent = cursor_->parent_of(link.path);
    const auto target = parent ? (*parent)->read_link(library::name_of(link.path)) : std::unexpected(parent.error());
    if (!target || *target != link.target) damaged_.push_back(link.path);
  }
}

}  // namespace peer::staging
