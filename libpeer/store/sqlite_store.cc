#include <cstring>
#include <type_traits>

#include "libpeer/runtime/defer.h"
#include "libpeer/store/hash_cache.h"
#include "libpeer/store/state_database.h"
#include "libpeer/store/store.h"

namespace peer::store {

namespace {

/// False if `bytes` does not have the size of a digest.
template <class D>
bool read_digest(std::string_view bytes, D& into) noexcept {
  if (bytes.size() != into.bytes.size()) return false;
  std::memcpy(into.bytes.data(), bytes.data(), bytes.size());
  return true;
}

class SqliteStore final : public Store {
 public:
  SqliteStore(StateDatabase state, std::string path, Log log)
      : database_(std::move(state)), path_(std::move(path)), log_(std::move(log)) {}

  Result<std::vector<CachedFile>> load_game(std::string_view root, std::string_view game) override {
    return guarded([&](StateDatabase& state) { return load_cached_files(state, root, game); });
  }

  Result<void> save_files(std::string_view root, std::string_view game, const std::vector<CachedFile>& files) override {
    return guarded([&](StateDatabase& state) {
      return transact(state, [&] { return save_cached_files(state, root, game, files); });
    });
  }

  Result<void> prune_game(std::string_view root, std::string_view game, const std::vector<std::string>& keep) override {
    return guarded([&](StateDatabase& state) {
      return transact(state, [&] { return prune_cached_files(state, root, game, keep); });
    });
  }

  Result<void> forget_game(std::string_view root, std::string_view game) override {
    return guarded([&](StateDatabase& state) {
      state.cache.drop_game.bind(1, root);
      state.cache.drop_game.bind(2, game);
      return run(state, state.cache.drop_game);
    });
  }

  Result<std::vector<StoredDownload>> downloads() override {
    return guarded([](StateDatabase& state) -> SqliteResult<std::vector<StoredDownload>> {
      std::vector<StoredDownload> all;
      Statement& row = state.downloads.list;
      const runtime::Defer reset([&] { row.reset(); });
      int code;
      while ((code = row.step()) == SQLITE_ROW) {
        StoredDownload download;
        download.game = row.bytes(0);
        download.options = row.bytes(2);
        download.position = row.integer(3);
        download.paused = row.integer(4) != 0;
        download.received = static_cast<std::uint64_t>(row.integer(5));
        download.elapsed_ms = row.integer(6);
        download.timed = static_cast<std::uint64_t>(row.integer(7));
        if (!read_digest(row.bytes(1), download.version)) return state.db.failed(SQLITE_CORRUPT);
        all.push_back(std::move(download));
      }
      if (code != SQLITE_DONE) return state.db.failed(code);
      return all;
    });
  }

  Result<void> put_download(const StoredDownload& download) override {
    return guarded([&](StateDatabase& state) {
      state.downloads.put.bind(1, download.game);
      state.downloads.put.bind(2, std::span<const std::uint8_t>(download.version.bytes));
      state.downloads.put.bind(3, download.options);
      state.downloads.put.bind(4, download.position);
      state.downloads.put.bind(5, std::int64_t{download.paused});
      state.downloads.put.bind(6, static_cast<std::int64_t>(download.received));
      state.downloads.put.bind(7, download.elapsed_ms);
      state.downloads.put.bind(8, static_cast<std::int64_t>(download.timed));
      return run(state, state.downloads.put);
    });
  }

  Result<void> remove_download(std::string_view game) override {
    return guarded([&](StateDatabase& state) {
      state.downloads.drop.bind(1, game);
      return run(state, state.downloads.drop);
    });
  }

  Result<std::vector<StoredBan>> bans() override {
    return guarded([](StateDatabase& state) -> SqliteResult<std::vector<StoredBan>> {
      std::vector<StoredBan> all;
      Statement& row = state.bans.list;
      const runtime::Defer reset([&] { row.reset(); });
      int code;
      while ((code = row.step()) == SQLITE_ROW) {
        StoredBan ban{{}, std::string(row.bytes(1)), std::string(row.bytes(2))};
        if (!read_digest(row.bytes(0), ban.peer)) return state.db.failed(SQLITE_CORRUPT);
        all.push_back(std::move(ban));
      }
      if (code != SQLITE_DONE) return state.db.failed(code);
      return all;
    });
  }

  Result<void> put_ban(const StoredBan& ban) override {
    return guarded([&](StateDatabase& state) {
      state.bans.put.bind(1, std::span<const std::uint8_t>(ban.peer.bytes));
      state.bans.put.bind(2, ban.name);
      state.bans.put.bind(3, ban.reason);
      return run(state, state.bans.put);
    });
  }

  Result<void> remove_ban(const PeerId& peer) override {
    return guarded([&](StateDatabase& state) {
      state.bans.drop.bind(1, std::span<const std::uint8_t>(peer.bytes));
      return run(state, state.bans.drop);
    });
  }

  Result<std::vector<StoredPairing>> pairings() override {
    return guarded([](StateDatabase& state) -> SqliteResult<std::vector<StoredPairing>> {
      std::vector<StoredPairing> all;
      Statement& row = state.pairings.list;
      const runtime::Defer reset([&] { row.reset(); });
      int code;
      while ((code = row.step()) == SQLITE_ROW) {
        StoredPairing pairing{{}, std::string(row.bytes(1))};
        if (!read_digest(row.bytes(0), pairing.peer)) return state.db.failed(SQLITE_CORRUPT);
        all.push_back(std::move(pairing));
      }
      if (code != SQLITE_DONE) return state.db.failed(code);
      return all;
    });
  }

  Result<void> put_pairing(const StoredPairing& pairing) override {
    return guarded([&](StateDatabase& state) {
      state.pairings.put.bind(1, std::span<const std::uint8_t>(pairing.peer.bytes));
      state.pairings.put.bind(2, pairing.name);
      return run(state, state.pairings.put);
    });
  }

  Result<void> remove_pairing(const PeerId& peer) override {
    return guarded([&](StateDatabase& state) {
      state.pairings.drop.bind(1, std::span<const std::uint8_t>(peer.bytes));
      return run(state, state.pairings.drop);
    });
  }

 private:
  /// Runs `work(database)`. If it finds damage, replaces the database by an empty one and runs it again.
  template <class F>
  auto guarded(F work) -> Result<typename std::invoke_result_t<F&, StateDatabase&>::value_type> {
    auto result = work(database_);
    if (!result && is_damage(result.error())) {
      database_ = StateDatabase();
      Result<StateDatabase> opened = rebuild(path_, result.error().error.message, log_);
      if (!opened) return std::unexpected(opened.error());
      database_ = std::move(*opened);
      result = work(database_);
    }
    if (!result) return std::unexpected(std::move(result.error().error));
    if constexpr (std::is_void_v<typename decltype(result)::value_type>) {
      return {};
    } else {
      return std::move(*result);
    }
  }

  StateDatabase database_;
  std::string path_;
  Log log_;
};

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& path, const Log& log) {
  Result<StateDatabase> database = open_or_rebuild(path, log);
  if (!database) return std::unexpected(database.error());
  return std::make_unique<SqliteStore>(std::move(*database), path, log);
}

}  // namespace peer::store
