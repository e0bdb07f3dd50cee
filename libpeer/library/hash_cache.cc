#include "libpeer/library/hash_cache.h"

#include <utility>

#include "libpeer/library/assembly.h"

namespace peer::library {

// These functions are not coroutines: they return the task of offload().

runtime::Task<Result<HashCache::Rows>> HashCache::load(std::string root, std::string game,
                                                       runtime::CancellationToken token) {
  auto job = [&store = store_, root = std::move(root), game = std::move(game)](const runtime::StopFlag&) {
    return store.load_game(root, game);
  };
  return runtime::offload(thread_, std::move(job), std::move(token));
}

runtime::Task<Result<void>> HashCache::save(std::string root, std::string game, std::shared_ptr<const Rows> rows,
                                            runtime::CancellationToken token) {
  auto job = [&store = store_, root = std::move(root), game = std::move(game), rows](const runtime::StopFlag&) {
    return store.save_files(root, game, *rows);
  };
  return runtime::offload(thread_, std::move(job), std::move(token));
}

runtime::Task<Result<void>> HashCache::replace(std::string root, std::string game,
                                               std::shared_ptr<const OfferedGame> offered) {
  auto job = [&store = store_, root = std::move(root), game = std::move(game),
              offered](const runtime::StopFlag&) -> Result<void> {
    if (Result<void> forgotten = store.forget_game(root, game); !forgotten) return forgotten;
    return store.save_files(root, game, rows_of(*offered));
  };
  return runtime::offload(thread_, std::move(job), runtime::CancellationToken());
}

runtime::Task<Result<void>> HashCache::forget(std::string root, std::string game) {
  auto job = [&store = store_, root = std::move(root), game = std::move(game)](const runtime::StopFlag&) {
    return store.forget_game(root, game);
  };
  return runtime::offload(thread_, std::move(job), runtime::CancellationToken());
}

runtime::Task<Result<void>> HashCache::prune(std::string root, std::string game,
                                             std::shared_ptr<const ScannedGame> scan,
                                             runtime::CancellationToken token) {
  auto job = [&store = store_, root = std::move(root), game = std::move(game), scan](const runtime::StopFlag&) {
    std::vector<std::string> keep;
    keep.reserve(scan->files.size());
    for (const ScannedFile& file : scan->files) keep.push_back(file.path);
    return store.prune_game(root, game, keep);
  };
  return runtime::offload(thread_, std::move(job), std::move(token));
}

}  // namespace peer::library
