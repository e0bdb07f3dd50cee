#include "libpeer/library/hash_run.h"

#include <algorithm>

#include "libpeer/protocol/path.h"

namespace peer::library {

namespace {

// What is hashed but not in the cache is lost at a kill.
constexpr std::uint64_t kSaveBytes = 256 << 20;
constexpr std::size_t kSaveFiles = 2000;

}  // namespace

runtime::Task<void> Examiner::hash(HashRun& run, runtime::CancellationToken token) {
  RootLimits& limits = limits_[run.entry.root];
  const runtime::SemaphoreUnits permit = co_await limits.games.acquire(1, token);
  {
    runtime::Scope streams(parts_.scope, "hash " + run.entry.shown.id, token);
    for (std::size_t i = 0; i < std::min(kStreams, run.work.files.size()); ++i) {
      streams.spawn("hash stream", stream(this, &run, streams.token()));
    }
    co_await streams.join();
  }
  // Also when cancelled: it is quick, and the next start need not read these files again.
  co_await save(run, runtime::CancellationToken());
  token.throw_if_requested();
}

runtime::Task<void> Examiner::stream(Examiner* self, HashRun* run, runtime::CancellationToken token) {
  HashStream reader(self->parts_.disk, run->work, self->bytes_read_);
  runtime::Semaphore& streams = self->limits_[run->entry.root].streams;
  for (bool done = false; !done;) {
    {
      const runtime::SemaphoreUnits permit = co_await streams.acquire(1, token);
      const auto job = [&reader, now = self->parts_.options.wall_clock()](const runtime::StopFlag& stop) {
        return reader.run(now, stop);
      };
      HashSlice slice = co_await runtime::offload(self->parts_.workers, job, token);
      done = slice.done;
      self->take(*run, std::move(slice));
    }
    if (run->unsaved_bytes >= kSaveBytes || run->unsaved.size() >= kSaveFiles) co_await self->save(*run, token);
  }
}

void Examiner::take(HashRun& run, HashSlice slice) {
  run.bytes_hashed += slice.bytes;
  for (HashedFile& file : slice.files) {
    const ScannedFile& scanned = run.scan->files[file.file];
    if (file.verdict == HashedFile::Verdict::changed) {
      run.changed = true;
    } else if (file.verdict == HashedFile::Verdict::unreadable) {
      run.unreadable.push_back({protocol::printable(scanned.path), "cannot be read: " + file.reason});
    } else {
      // A further change within the clock's grain would leave the stamp as it is.
      const std::int64_t age = file.begun - std::max(scanned.stamp.mtime, scanned.stamp.ctime);
      if (age < 0 || age >= kYoung) {
        run.unsaved.push_back({scanned.path, scanned.stamp, file.chunks});
        run.unsaved_bytes += scanned.stamp.size;
      }
      run.known.chunks[file.file] = std::move(file.chunks);
    }
  }
  LocalGame game = run.entry.shown;
  game.bytes_hashed = run.bytes_hashed;
  show(run.entry, std::move(game), Catalogue::kProgress);
}

runtime::Task<void> Examiner::save(HashRun& run, runtime::CancellationToken token) {
  if (run.unsaved.empty()) co_return;
  const auto rows = std::make_shared<const std::vector<store::CachedFile>>(std::exchange(run.unsaved, {}));
  run.unsaved_bytes = 0;
  const auto job = [store = &parts_.store, root = run.entry.root, name = run.entry.name,
                    rows](const runtime::StopFlag&) { return store->save_files(root, name, *rows); };
  warn(co_await runtime::offload(parts_.store_thread, job, token));
}

}  // namespace peer::library
