#include "libpeer/store/hash_cache.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <optional>
#include <span>

#include "libpeer/runtime/defer.h"

namespace peer::store {

namespace {

/// The id of the game's rows; nothing if it has none.
SqliteResult<std::optional<std::int64_t>> find_game(StateDatabase& state, std::string_view root,
                                                    std::string_view game) {
  const runtime::Defer reset([&] { state.cache.find_game.reset(); });
  state.cache.find_game.bind(1, root);
  state.cache.find_game.bind(2, game);
  const int code = state.cache.find_game.step();
  if (code == SQLITE_ROW) return state.cache.find_game.integer(0);
  if (code == SQLITE_DONE) return std::nullopt;
  return state.db.failed(code);
}

std::span<const std::uint8_t> as_bytes(const std::vector<Digest>& chunks) noexcept {
  static_assert(sizeof(Digest) == 32);
  return {reinterpret_cast<const std::uint8_t*>(chunks.data()), chunks.size() * sizeof(Digest)};
}

}  // namespace

SqliteResult<std::vector<CachedFile>> load_cached_files(StateDatabase& state, std::string_view root,
                                                        std::string_view game) {
  std::vector<CachedFile> files;
  const auto id = find_game(state, root, game);
  if (!id) return std::unexpected(id.error());
  if (!*id) return files;
  Statement& row = state.cache.load_files;
  const runtime::Defer reset([&] { row.reset(); });
  row.bind(1, **id);
  int code;
  while ((code = row.step()) == SQLITE_ROW) {
    CachedFile& file = files.emplace_back();
    file.path = row.bytes(0);
    file.stamp = {static_cast<std::uint64_t>(row.integer(1)), row.integer(2), row.integer(3),
                  static_cast<std::uint64_t>(row.integer(4))};
    const std::string_view chunks = row.bytes(5);
    if (chunks.size() % sizeof(Digest) != 0) return state.db.failed(SQLITE_CORRUPT);
    file.chunks.resize(chunks.size() / sizeof(Digest));
    if (!chunks.empty()) std::memcpy(file.chunks.data(), chunks.data(), chunks.size());
    if (row.integer(6) >= 0) file.executable = row.integer(6) > 0;
  }
  if (code != SQLITE_DONE) return state.db.failed(code);
  return files;
}

SqliteResult<void> save_cached_files(StateDatabase& state, std::string_view root, std::string_view game,
                                     const std::vector<CachedFile>& files) {
  auto id = find_game(state, root, game);
  if (!id) return std::unexpected(id.error());
  if (!*id) {
    const runtime::Defer reset([&] { state.cache.add_game.reset(); });
    state.cache.add_game.bind(1, root);
    state.cache.add_game.bind(2, game);
    const int code = state.cache.add_game.step();
    if (code != SQLITE_ROW) return state.db.failed(code);
    *id = state.cache.add_game.integer(0);
  }
  Statement& row = state.cache.save_file;
  for (const CachedFile& file : files) {
    row.bind(1, **id);
    row.bind(2, file.path);
    row.bind(3, static_cast<std::int64_t>(file.stamp.size));
    row.bind(4, file.stamp.mtime);
    row.bind(5, file.stamp.ctime);
    row.bind(6, static_cast<std::int64_t>(file.stamp.inode));
    row.bind(7, as_bytes(file.chunks));
    row.bind(8, file.executable ? std::int64_t{*file.executable} : std::int64_t{-1});
    if (SqliteResult<void> saved = run(state, row); !saved) return saved;
  }
  return {};
}

SqliteResult<void> prune_cached_files(StateDatabase& state, std::string_view root, std::string_view game,
                                      const std::vector<std::string>& keep) {
  const auto id = find_game(state, root, game);
  if (!id) return std::unexpected(id.error());
  if (!*id) return {};
  std::vector<std::int64_t> gone;
  {
    Statement& row = state.cache.list_paths;
    const runtime::Defer reset([&] { row.reset(); });
    row.bind(1, **id);
    int code;
    while ((code = row.step()) == SQLITE_ROW) {
      if (!std::ranges::binary_search(keep, row.bytes(1), std::less<>())) gone.push_back(row.integer(0));
    }
    if (code != SQLITE_DONE) return state.db.failed(code);
  }
  for (const std::int64_t file : gone) {
    state.cache.drop_file.bind(1, file);
    if (SqliteResult<void> dropped = run(state, state.cache.drop_file); !dropped) return dropped;
  }
  return {};
}

}  // namespace peer::store
