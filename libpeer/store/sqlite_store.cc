#include <algorithm>
#include <cstring>
#include <optional>

#include "libpeer/store/sqlite_session.h"
#include "libpeer/store/store.h"

namespace peer::store {

namespace {

/// Resets a statement when its use ends.
struct Use {
  Statement& statement;
  explicit Use(Statement& s) noexcept : statement(s) {}
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  ~Use() { statement.reset(); }
};

/// Steps a statement that yields no row.
Result<void> run(Session& session, Statement& statement) {
  const Use use(statement);
  const int code = statement.step();
  if (code != SQLITE_DONE) return session.db.failed(code);
  return {};
}

/// Nothing if the game has no rows.
Result<std::optional<std::int64_t>> find_game(Session& session, std::string_view root, std::string_view game) {
  const Use use(session.find_game);
  session.find_game.bind(1, root);
  session.find_game.bind(2, game);
  const int code = session.find_game.step();
  if (code == SQLITE_ROW) return session.find_game.integer(0);
  if (code == SQLITE_DONE) return std::nullopt;
  return session.db.failed(code);
}

/// One transaction around `work`.
template <class F>
Result<void> transact(Session& session, F work) {
  if (Result<void> begun = run(session, session.begin); !begun) return begun;
  Result<void> done = work();
  if (done) done = run(session, session.commit);
  if (!done) static_cast<void>(run(session, session.rollback));  // SQLite may have rolled back already
  return done;
}

std::span<const std::uint8_t> as_bytes(const std::vector<Digest>& chunks) noexcept {
  static_assert(sizeof(Digest) == 32);
  return {reinterpret_cast<const std::uint8_t*>(chunks.data()), chunks.size() * sizeof(Digest)};
}

/// False if it is none.
template <class D>
bool take_digest(std::string_view bytes, D& into) noexcept {
  if (bytes.size() != into.bytes.size()) return false;
  std::memcpy(into.bytes.data(), bytes.data(), bytes.size());
  return true;
}

class SqliteStore final : public Store {
 public:
  SqliteStore(Session session, std::string path, Log log)
      : session_(std::move(session)), path_(std::move(path)), log_(std::move(log)) {}

  Result<std::vector<CachedFile>> load_game(std::string_view root, std::string_view game) override {
    return guarded([&](Session& session) { return load(session, root, game); });
  }

  Result<void> save_files(std::string_view root, std::string_view game, const std::vector<CachedFile>& files) override {
    return guarded(
        [&](Session& session) { return transact(session, [&] { return save(session, root, game, files); }); });
  }

  Result<void> prune_game(std::string_view root, std::string_view game, const std::vector<std::string>& keep) override {
    return guarded(
        [&](Session& session) { return transact(session, [&] { return prune(session, root, game, keep); }); });
  }

  Result<void> forget_game(std::string_view root, std::string_view game) override {
    return guarded([&](Session& session) {
      session.drop_game.bind(1, root);
      session.drop_game.bind(2, game);
      return run(session, session.drop_game);
    });
  }

  Result<std::vector<StoredDownload>> downloads() override {
    return guarded([](Session& session) -> Result<std::vector<StoredDownload>> {
      std::vector<StoredDownload> all;
      Statement& row = session.downloads;
      const Use use(row);
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
        if (!take_digest(row.bytes(1), download.version)) return session.db.failed(SQLITE_CORRUPT);
        all.push_back(std::move(download));
      }
      if (code != SQLITE_DONE) return session.db.failed(code);
      return all;
    });
  }

  Result<void> put_download(const StoredDownload& download) override {
    return guarded([&](Session& session) {
      session.put_download.bind(1, download.game);
      session.put_download.bind(2, std::span<const std::uint8_t>(download.version.bytes));
      session.put_download.bind(3, download.options);
      session.put_download.bind(4, download.position);
      session.put_download.bind(5, std::int64_t{download.paused});
      session.put_download.bind(6, static_cast<std::int64_t>(download.received));
      session.put_download.bind(7, download.elapsed_ms);
      session.put_download.bind(8, static_cast<std::int64_t>(download.timed));
      return run(session, session.put_download);
    });
  }

  Result<void> remove_download(std::string_view game) override {
    return guarded([&](Session& session) {
      session.drop_download.bind(1, game);
      return run(session, session.drop_download);
    });
  }

  Result<std::vector<StoredBan>> bans() override {
    return guarded([](Session& session) -> Result<std::vector<StoredBan>> {
      std::vector<StoredBan> all;
      Statement& row = session.bans;
      const Use use(row);
      int code;
      while ((code = row.step()) == SQLITE_ROW) {
        StoredBan ban{{}, std::string(row.bytes(1)), std::string(row.bytes(2))};
        if (!take_digest(row.bytes(0), ban.peer)) return session.db.failed(SQLITE_CORRUPT);
        all.push_back(std::move(ban));
      }
      if (code != SQLITE_DONE) return session.db.failed(code);
      return all;
    });
  }

  Result<void> put_ban(const StoredBan& ban) override {
    return guarded([&](Session& session) {
      session.put_ban.bind(1, std::span<const std::uint8_t>(ban.peer.bytes));
      session.put_ban.bind(2, ban.name);
      session.put_ban.bind(3, ban.reason);
      return run(session, session.put_ban);
    });
  }

  Result<void> remove_ban(const PeerId& peer) override {
    return guarded([&](Session& session) {
      session.drop_ban.bind(1, std::span<const std::uint8_t>(peer.bytes));
      return run(session, session.drop_ban);
    });
  }

  Result<std::vector<StoredPairing>> pairings() override {
    return guarded([](Session& session) -> Result<std::vector<StoredPairing>> {
      std::vector<StoredPairing> all;
      Statement& row = session.pairings;
      const Use use(row);
      int code;
      while ((code = row.step()) == SQLITE_ROW) {
        StoredPairing pairing{{}, std::string(row.bytes(1))};
        if (!take_digest(row.bytes(0), pairing.peer)) return session.db.failed(SQLITE_CORRUPT);
        all.push_back(std::move(pairing));
      }
      if (code != SQLITE_DONE) return session.db.failed(code);
      return all;
    });
  }

  Result<void> put_pairing(const StoredPairing& pairing) override {
    return guarded([&](Session& session) {
      session.put_pairing.bind(1, std::span<const std::uint8_t>(pairing.peer.bytes));
      session.put_pairing.bind(2, pairing.name);
      return run(session, session.put_pairing);
    });
  }

  Result<void> remove_pairing(const PeerId& peer) override {
    return guarded([&](Session& session) {
      session.drop_pairing.bind(1, std::span<const std::uint8_t>(peer.bytes));
      return run(session, session.drop_pairing);
    });
  }

  Result<std::string> get(std::string_view key) override {
    return guarded([&](Session& session) -> Result<std::string> {
      const Use use(session.get);
      session.get.bind(1, key);
      const int code = session.get.step();
      if (code == SQLITE_ROW) return std::string(session.get.bytes(0));
      if (code == SQLITE_DONE) return std::string();
      return session.db.failed(code);
    });
  }

  Result<void> put(std::string_view key, std::string_view value) override {
    return guarded([&](Session& session) {
      session.put.bind(1, key);
      session.put.bind(2, value);
      return run(session, session.put);
    });
  }

 private:
  static Result<std::vector<CachedFile>> load(Session& session, std::string_view root, std::string_view game) {
    std::vector<CachedFile> files;
    const auto id = find_game(session, root, game);
    if (!id) return std::unexpected(id.error());
    if (!*id) return files;
    Statement& row = session.load_files;
    const Use use(row);
    row.bind(1, **id);
    int code;
    while ((code = row.step()) == SQLITE_ROW) {
      CachedFile& file = files.emplace_back();
      file.path = row.bytes(0);
      file.stamp = {static_cast<std::uint64_t>(row.integer(1)), row.integer(2), row.integer(3),
                    static_cast<std::uint64_t>(row.integer(4))};
      const std::string_view chunks = row.bytes(5);
      if (chunks.size() % sizeof(Digest) != 0) return session.db.failed(SQLITE_CORRUPT);
      file.chunks.resize(chunks.size() / sizeof(Digest));
      if (!chunks.empty()) std::memcpy(file.chunks.data(), chunks.data(), chunks.size());
      if (row.integer(6) >= 0) file.executable = row.integer(6) > 0;
    }
    if (code != SQLITE_DONE) return session.db.failed(code);
    return files;
  }

  static Result<void> save(Session& session, std::string_view root, std::string_view game,
                           const std::vector<CachedFile>& files) {
    auto id = find_game(session, root, game);
    if (!id) return std::unexpected(id.error());
    if (!*id) {
      const Use use(session.add_game);
      session.add_game.bind(1, root);
      session.add_game.bind(2, game);
      const int code = session.add_game.step();
      if (code != SQLITE_ROW) return session.db.failed(code);
      *id = session.add_game.integer(0);
    }
    Statement& row = session.save_file;
    for (const CachedFile& file : files) {
      row.bind(1, **id);
      row.bind(2, file.path);
      row.bind(3, static_cast<std::int64_t>(file.stamp.size));
      row.bind(4, file.stamp.mtime);
      row.bind(5, file.stamp.ctime);
      row.bind(6, static_cast<std::int64_t>(file.stamp.inode));
      row.bind(7, as_bytes(file.chunks));
      row.bind(8, file.executable ? std::int64_t{*file.executable} : std::int64_t{-1});
      if (Result<void> saved = run(session, row); !saved) return saved;
    }
    return {};
  }

  static Result<void> prune(Session& session, std::string_view root, std::string_view game,
                            const std::vector<std::string>& keep) {
    const auto id = find_game(session, root, game);
    if (!id) return std::unexpected(id.error());
    if (!*id) return {};
    std::vector<std::int64_t> gone;
    {
      Statement& row = session.list_paths;
      const Use use(row);
      row.bind(1, **id);
      int code;
      while ((code = row.step()) == SQLITE_ROW) {
        if (!std::ranges::binary_search(keep, row.bytes(1), std::less<>())) gone.push_back(row.integer(0));
      }
      if (code != SQLITE_DONE) return session.db.failed(code);
    }
    for (const std::int64_t file : gone) {
      session.drop_file.bind(1, file);
      if (Result<void> dropped = run(session, session.drop_file); !dropped) return dropped;
    }
    return {};
  }

  /// Damage met on the way: begin a new database and try once more.
  template <class F>
  auto guarded(F work) -> decltype(work(std::declval<Session&>())) {
    auto result = work(session_);
    if (result || !is_damage(result.error())) return result;
    session_ = Session();
    Result<Session> opened = rebuild(path_, result.error().message, log_);
    if (!opened) return std::unexpected(opened.error());
    session_ = std::move(*opened);
    return work(session_);
  }

  Session session_;
  std::string path_;
  Log log_;
};

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& path, const Log& log) {
  Result<Session> session = open_or_rebuild(path, log);
  if (!session) return std::unexpected(session.error());
  return std::make_unique<SqliteStore>(std::move(*session), path, log);
}

}  // namespace peer::store
