#include "libpeer/staging/staged_chunks.h"

#include <algorithm>
#include <utility>

namespace peer::staging {

namespace {

std::vector<ChunkRun> merge_runs(std::vector<ChunkRun> runs) {
  std::ranges::sort(runs, {}, &ChunkRun::first);
  std::vector<ChunkRun> merged;
  for (const ChunkRun& run : runs) {
    if (!merged.empty() && merged.back().first + merged.back().count == run.first) {
      merged.back().count += run.count;
    } else {
      merged.push_back(run);
    }
  }
  return merged;
}

}  // namespace

void StagedChunks::reset(std::vector<bool> have) {
  const std::lock_guard lock(mutex_);
  have_ = std::move(have);
  unlogged_.clear();
  unlogged_bytes_ = 0;
}

std::vector<bool> StagedChunks::have() const {
  const std::lock_guard lock(mutex_);
  return have_;
}

bool StagedChunks::has(std::uint64_t chunk) const {
  const std::lock_guard lock(mutex_);
  return have_[chunk];
}

bool StagedChunks::has_all(std::uint64_t first, std::uint64_t count) const {
  const std::lock_guard lock(mutex_);
  const auto begin = have_.begin() + static_cast<std::ptrdiff_t>(first);
  const auto end = begin + static_cast<std::ptrdiff_t>(count);
  return !failure_ && std::find(begin, end, false) == end;
}

bool StagedChunks::complete() const {
  const std::lock_guard lock(mutex_);
  return std::ranges::find(have_, false) == have_.end();
}

bool StagedChunks::empty() const {
  const std::lock_guard lock(mutex_);
  return std::ranges::find(have_, true) == have_.end();
}

void StagedChunks::mark_have(std::uint64_t chunk, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  have_[chunk] = true;
  unlogged_bytes_ += bytes;
  if (!unlogged_.empty() && unlogged_.back().first + unlogged_.back().count == chunk) {
    ++unlogged_.back().count;
  } else {
    unlogged_.push_back({chunk, 1});
  }
}

std::uint64_t StagedChunks::unlogged_bytes() const {
  const std::lock_guard lock(mutex_);
  return unlogged_bytes_;
}

Result<StagedChunks::Unlogged> StagedChunks::extract_unlogged() {
  Unlogged unlogged;
  {
    const std::lock_guard lock(mutex_);
    if (failure_) return std::unexpected(*failure_);
    unlogged.runs = std::exchange(unlogged_, {});
    unlogged.bytes = unlogged_bytes_;
  }
  unlogged.runs = merge_runs(std::move(unlogged.runs));
  return unlogged;
}

void StagedChunks::on_logged(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  unlogged_bytes_ -= bytes;
}

std::unexpected<Error> StagedChunks::record_failure(Error error) {
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = error;
  return std::unexpected(std::move(error));
}

Result<void> StagedChunks::check_usable() const {
  const std::lock_guard lock(mutex_);
  if (failure_) return std::unexpected(*failure_);
  return {};
}

}  // namespace peer::staging
