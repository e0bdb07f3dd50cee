#include "libpeer/store/sqlite_session.h"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace peer::store {

namespace {

/// The statements that lead from schema version i to i + 1. Never change one that was released: append.
constexpr std::array kSchema = {
    "CREATE TABLE games(id INTEGER PRIMARY KEY, root BLOB NOT NULL, game BLOB NOT NULL, UNIQUE(root, game));"
    "CREATE TABLE files(game INTEGER NOT NULL REFERENCES games(id) ON DELETE CASCADE, path BLOB NOT NULL,"
    "  size INTEGER NOT NULL, mtime INTEGER NOT NULL, ctime INTEGER NOT NULL, inode INTEGER NOT NULL,"
    "  chunks BLOB NOT NULL, UNIQUE(game, path));"
    "CREATE TABLE downloads(game BLOB PRIMARY KEY, version BLOB NOT NULL, options BLOB NOT NULL,"
    "  position INTEGER NOT NULL);"
    "CREATE TABLE entries(key BLOB PRIMARY KEY, value BLOB NOT NULL);",
    // -1: as the disk shows it.
    "ALTER TABLE files ADD COLUMN executable INTEGER NOT NULL DEFAULT -1;",
    "ALTER TABLE downloads ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE downloads ADD COLUMN received INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE bans(peer BLOB PRIMARY KEY, name BLOB NOT NULL, reason BLOB NOT NULL);",
    "CREATE TABLE pairings(peer BLOB PRIMARY KEY, name BLOB NOT NULL);",
    "ALTER TABLE downloads ADD COLUMN elapsed_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE downloads ADD COLUMN timed INTEGER NOT NULL DEFAULT 0;",
};

Result<Session> open_session(const std::string& path) {
  Result<Database> database = Database::open(path);
  if (!database) return std::unexpected(database.error());
  Session session;
  session.db = std::move(*database);
  // FULL: in WAL mode NORMAL may forget the last commits at a power cut, and with them a download that was asked for.
  const char* settings =
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;";
  if (Result<void> set = session.db.execute(settings); !set) return std::unexpected(set.error());
  const Result<std::int64_t> version = session.db.integer("PRAGMA user_version");
  if (!version) return std::unexpected(version.error());
  if (*version > static_cast<std::int64_t>(kSchema.size())) {
    return fail(ErrorCode::invalid, path + " was written by a newer peerd (schema " + std::to_string(*version) +
                                        "): start that one, or move the file away");
  }
  for (auto i = static_cast<std::size_t>(*version); i < kSchema.size(); ++i) {
    const std::string step = std::string("BEGIN IMMEDIATE;") + kSchema.at(i) +
                             "PRAGMA user_version = " + std::to_string(i + 1) + "; COMMIT;";
    if (Result<void> done = session.db.execute(step.c_str()); !done) return std::unexpected(done.error());
  }
  if (Result<void> prepared = session.prepare(); !prepared) return std::unexpected(prepared.error());
  return session;
}

bool exists(const std::string& path) {
  struct stat status;
  return ::lstat(path.c_str(), &status) == 0;
}

/// After a clean end SQLite has removed its log: only otherwise is the whole file worth reading.
Result<Session> open_checked(const std::string& path) {
  const bool unclean = exists(path + "-wal");
  Result<Session> session = open_session(path);
  if (!session || !unclean) return session;
  Result<Statement> check = session->db.prepare("PRAGMA quick_check(1)");
  if (!check) return std::unexpected(check.error());
  const int code = check->step();
  if (code != SQLITE_ROW) return session->db.failed(code);
  if (check->bytes(0) != "ok") {
    return fail(ErrorCode::disk_error, path + ": " + std::string(check->bytes(0)), SQLITE_CORRUPT);
  }
  return session;
}

}  // namespace

Result<void> Session::prepare() {
  const std::pair<Statement*, std::string_view> all[] = {
      {&begin, "BEGIN IMMEDIATE"},
      {&commit, "COMMIT"},
      {&rollback, "ROLLBACK"},
      {&find_game, "SELECT id FROM games WHERE root = ? AND game = ?"},
      {&add_game, "INSERT INTO games(root, game) VALUES(?, ?) RETURNING id"},
      {&drop_game, "DELETE FROM games WHERE root = ? AND game = ?"},
      {&load_files, "SELECT path, size, mtime, ctime, inode, chunks, executable FROM files WHERE game = ?"},
      {&save_file,
       "INSERT INTO files(game, path, size, mtime, ctime, inode, chunks, executable) VALUES(?1, ?2, ?3, ?4, ?5, ?6, "
       "?7, ?8) "
       "ON CONFLICT(game, path) DO UPDATE SET size = ?3, mtime = ?4, ctime = ?5, inode = ?6, chunks = ?7, "
       "executable = ?8"},
      {&list_paths, "SELECT rowid, path FROM files WHERE game = ?"},
      {&drop_file, "DELETE FROM files WHERE rowid = ?"},
      {&downloads,
       "SELECT game, version, options, position, paused, received, elapsed_ms, timed FROM downloads "
       "ORDER BY position, game"},
      {&put_download,
       "INSERT INTO downloads(game, version, options, position, paused, received, elapsed_ms, timed) "
       "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) "
       "ON CONFLICT(game) DO UPDATE SET version = ?2, options = ?3, position = ?4, paused = ?5, received = ?6, "
       "elapsed_ms = ?7, timed = ?8"},
      {&drop_download, "DELETE FROM downloads WHERE game = ?"},
      {&bans, "SELECT peer, name, reason FROM bans"},
      {&put_ban,
       "INSERT INTO bans(peer, name, reason) VALUES(?1, ?2, ?3) ON CONFLICT(peer) DO UPDATE SET name = ?2, reason = "
       "?3"},
      {&drop_ban, "DELETE FROM bans WHERE peer = ?"},
      {&pairings, "SELECT peer, name FROM pairings"},
      {&put_pairing, "INSERT INTO pairings(peer, name) VALUES(?1, ?2) ON CONFLICT(peer) DO UPDATE SET name = ?2"},
      {&drop_pairing, "DELETE FROM pairings WHERE peer = ?"},
      {&get, "SELECT value FROM entries WHERE key = ?"},
      {&put, "INSERT INTO entries(key, value) VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = ?2"},
  };
  for (const auto& [statement, sql] : all) {
    Result<Statement> prepared = db.prepare(sql);
    if (!prepared) return std::unexpected(prepared.error());
    *statement = std::move(*prepared);
  }
  return {};
}

Result<Session> open_or_rebuild(const std::string& path, const Log& log) {
  Result<Session> session = open_checked(path);
  if (session || !is_damage(session.error())) return session;
  return rebuild(path, session.error().message, log);
}

Result<Session> rebuild(const std::string& path, const std::string& damage, const Log& log) {
  int number = 1;
  while (exists(path + ".damaged-" + std::to_string(number))) ++number;
  const std::string aside = path + ".damaged-" + std::to_string(number);
  log.error("the database is damaged (" + damage + "); it is kept as " + aside +
            ", and a new one begun: games are hashed again, and bans, pairings and waiting downloads are forgotten");
  if (std::rename(path.c_str(), aside.c_str()) != 0) return fail_errno(errno, path);
  static_cast<void>(std::rename((path + "-wal").c_str(), (aside + "-wal").c_str()));
  static_cast<void>(std::remove((path + "-shm").c_str()));
  return open_session(path);
}

}  // namespace peer::store
