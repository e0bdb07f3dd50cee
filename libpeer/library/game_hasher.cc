#include "libpeer/library/game_hasher.h"

#include <algorithm>
#include <utility>

#include "libpeer/protocol/path.h"

namespace peer::library {

namespace {

// If peerd is killed, at most this much has to be hashed again.
constexpr std::uint64_t kSaveBytes = 256 << 20;
constexpr std::size_t kSaveFiles = 2000;
/// Nanoseconds. A file that changed more recently before it was read is not cached: another change within the
/// resolution of the file system's clock would not alter its stamp.
constexpr std::int64_t kMinCacheAge = 2'000'000'000;

}  // namespace

GameHashRun::GameHashRun(GameEntry& game, std::shared_ptr<const ScannedGame> scanned, KnownChunks hashes)
    : entry(game), scan(std::move(scanned)), known(std::move(hashes)), bytes_hashed(known.bytes) {
  work.root = entry.root;
  work.game = entry.name;
  work.bounds = entry.shown.bounds;
  work.scan = scan;
  work.files = known.missing;
}

runtime::Task<void> GameHasher::hash(GameHashRun& run, runtime::CancellationToken token) {
  RootLimits& limits = limits_[run.entry.root];
  const runtime::SemaphoreUnits turn = co_await limits.games.acquire(1, token);
  {
    runtime::Scope streams(scope_, "hash " + run.entry.shown.id, token);
    for (std::size_t i = 0; i < std::min(kStreams, run.work.files.size()); ++i) {
      streams.spawn("hash stream", run_stream(this, &run, streams.token()));
    }
    co_await streams.join();
  }
  // Save after a cancellation too: it is quick, and the next start does not read these files again.
  co_await save(run, runtime::CancellationToken());
  token.throw_if_requested();
}

runtime::Task<void> GameHasher::run_stream(GameHasher* self, GameHashRun* run, runtime::CancellationToken token) {
  HashStream reader(self->disk_, run->work, self->bytes_read_);
  runtime::Semaphore& streams = self->limits_[run->entry.root].streams;
  for (bool done = false; !done;) {
    {
      const runtime::SemaphoreUnits turn = co_await streams.acquire(1, token);
      const auto job = [&reader, now = self->options_.wall_clock()](const runtime::StopFlag& stop) {
        return reader.run(now, stop);
      };
      HashSlice slice = co_await runtime::offload(self->workers_, job, token);
      done = slice.done;
      self->add_slice(*run, std::move(slice));
    }
    if (run->unsaved_bytes >= kSaveBytes || run->unsaved.size() >= kSaveFiles) co_await self->save(*run, token);
  }
}

void GameHasher::add_slice(GameHashRun& run, HashSlice slice) {
  run.bytes_hashed += slice.bytes;
  for (HashedFile& file : slice.files) {
    const ScannedFile& scanned = run.scan->files[file.file];
    if (file.outcome == HashOutcome::changed) {
      run.changed = true;
    } else if (file.outcome == HashOutcome::unreadable) {
      run.unreadable.push_back({protocol::printable(scanned.path), "cannot be read: " + file.reason});
    } else {
      const std::int64_t age = file.begun - std::max(scanned.stamp.mtime, scanned.stamp.ctime);
      if (age < 0 || age >= kMinCacheAge) {
        run.unsaved.push_back({scanned.path, scanned.stamp, file.chunks});
        run.unsaved_bytes += scanned.stamp.size;
      }
      run.known.chunks[file.file] = std::move(file.chunks);
    }
  }
  LocalGame game = run.entry.shown;
  game.bytes_hashed = run.bytes_hashed;
  games_.show(run.entry, std::move(game), Catalogue::kProgress);
}

runtime::Task<void> GameHasher::save(GameHashRun& run, runtime::CancellationToken token) {
  if (run.unsaved.empty()) co_return;
  const auto rows = std::make_shared<const HashCache::Rows>(std::exchange(run.unsaved, {}));
  run.unsaved_bytes = 0;
  const Result<void> saved = co_await cache_.save(run.entry.root, run.entry.name, rows, token);
  cache_.warn(saved);
}

}  // namespace peer::library
