#include "libpeer/store/state_database.h"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace peer::store {

namespace {

/// Statement i upgrades the schema from version i to i + 1. Append new ones; never change a released one.
constexpr std::array kSchema = {
    "CREATE TABLE games(id INTEGER PRIMARY KEY, root BLOB NOT NULL, game BLOB NOT NULL, UNIQUE(root, game));"
    "CREATE TABLE files(game INTEGER NOT NULL REFERENCES games(id) ON DELETE CASCADE, path BLOB NOT NULL,"
    "  size INTEGER NOT NULL, mtime INTEGER NOT NULL, ctime INTEGER NOT NULL, inode INTEGER NOT NULL,"
    "  chunks BLOB NOT NULL, UNIQUE(game, path));"
    "CREATE TABLE downloads(game BLOB PRIMARY KEY, version BLOB NOT NULL, options BLOB NOT NULL,"
    "  position INTEGER NOT NULL);"
    "CREATE TABLE entries(key BLOB PRIMARY KEY, value BLOB NOT NULL);",
    // -1: use the bit that the file system reports.
    "ALTER TABLE files ADD COLUMN executable INTEGER NOT NULL DEFAULT -1;",
    "ALTER TABLE downloads ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE downloads ADD COLUMN received INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE bans(peer BLOB PRIMARY KEY, name BLOB NOT NULL, reason BLOB NOT NULL);",
    "CREATE TABLE pairings(peer BLOB PRIMARY KEY, name BLOB NOT NULL);",
    "ALTER TABLE downloads ADD COLUMN elapsed_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE downloads ADD COLUMN timed INTEGER NOT NULL DEFAULT 0;",
};

SqliteResult<void> upgrade_schema(Database& db, const std::string& path) {
  const SqliteResult<std::int64_t> version = db.integer("PRAGMA user_version");
  if (!version) return std::unexpected(version.error());
  if (*version > static_cast<std::int64_t>(kSchema.size())) {
    Error newer{ErrorCode::invalid, path + " was written by a newer peerd (schema " + std::to_string(*version) +
                                        "): start that version, or move the file away"};
    return std::unexpected(SqliteError{std::move(newer)});
  }
  for (auto i = static_cast<std::size_t>(*version); i < kSchema.size(); ++i) {
    const std::string step = std::string("BEGIN IMMEDIATE;") + kSchema.at(i) +
                             "PRAGMA user_version = " + std::to_string(i + 1) + "; COMMIT;";
    if (SqliteResult<void> done = db.execute(step.c_str()); !done) return done;
  }
  return {};
}

SqliteResult<StateDatabase> open_state(const std::string& path) {
  SqliteResult<Database> database = Database::open(path);
  if (!database) return std::unexpected(database.error());
  StateDatabase state;
  state.db = std::move(*database);
  // FULL: in WAL mode, NORMAL may lose the latest commits at a power cut, and with them a requested download.
  const char* settings =
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;";
  if (SqliteResult<void> set = state.db.execute(settings); !set) return std::unexpected(set.error());
  if (SqliteResult<void> upgraded = upgrade_schema(state.db, path); !upgraded) {
    return std::unexpected(upgraded.error());
  }
  if (SqliteResult<void> prepared = state.prepare(); !prepared) return std::unexpected(prepared.error());
  return state;
}

bool exists(const std::string& path) {
  struct stat status;
  return ::lstat(path.c_str(), &status) == 0;
}

/// SQLite removes its log at a clean exit. If the log is there, reads the whole file to check it.
SqliteResult<StateDatabase> open_checked(const std::string& path) {
  const bool unclean = exists(path + "-wal");
  SqliteResult<StateDatabase> state = open_state(path);
  if (!state || !unclean) return state;
  SqliteResult<Statement> check = state->db.prepare("PRAGMA quick_check(1)");
  if (!check) return std::unexpected(check.error());
  const int code = check->step();
  if (code != SQLITE_ROW) return state->db.failed(code);
  if (check->bytes(0) != "ok") {
    Error damage{ErrorCode::disk_error, path + ": " + std::string(check->bytes(0))};
    return std::unexpected(SqliteError{std::move(damage), SQLITE_CORRUPT});
  }
  return state;
}

Result<StateDatabase> without_code(SqliteResult<StateDatabase> state) {
  if (!state) return std::unexpected(std::move(state.error().error));
  return std::move(*state);
}

}  // namespace

SqliteResult<void> run(StateDatabase& state, Statement& statement) {
  const int code = statement.step();
  SqliteResult<void> done;
  if (code != SQLITE_DONE) done = state.db.failed(code);
  statement.reset();
  return done;
}

SqliteResult<void> StateDatabase::prepare() {
  const std::pair<Statement*, std::string_view> all[] = {
      {&transaction.begin, "BEGIN IMMEDIATE"},
      {&transaction.commit, "COMMIT"},
      {&transaction.rollback, "ROLLBACK"},
      {&cache.find_game, "SELECT id FROM games WHERE root = ? AND game = ?"},
      {&cache.add_game, "INSERT INTO games(root, game) VALUES(?, ?) RETURNING id"},
      {&cache.drop_game, "DELETE FROM games WHERE root = ? AND game = ?"},
      {&cache.load_files, "SELECT path, size, mtime, ctime, inode, chunks, executable FROM files WHERE game = ?"},
      {&cache.save_file,
       "INSERT INTO files(game, path, size, mtime, ctime, inode, chunks, executable) VALUES(?1, ?2, ?3, ?4, ?5, ?6, "
       "?7, ?8) "
       "ON CONFLICT(game, path) DO UPDATE SET size = ?3, mtime = ?4, ctime = ?5, inode = ?6, chunks = ?7, "
       "executable = ?8"},
      {&cache.list_paths, "SELECT rowid, path FROM files WHERE game = ?"},
      {&cache.drop_file, "DELETE FROM files WHERE rowid = ?"},
      {&downloads.list,
       "SELECT game, version, options, position, paused, received, elapsed_ms, timed FROM downloads "
       "ORDER BY position, game"},
      {&downloads.put,
       "INSERT INTO downloads(game, version, options, position, paused, received, elapsed_ms, timed) "
       "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) "
       "ON CONFLICT(game) DO UPDATE SET version = ?2, options = ?3, position = ?4, paused = ?5, received = ?6, "
       "elapsed_ms = ?7, timed = ?8"},
      {&downloads.drop, "DELETE FROM downloads WHERE game = ?"},
      {&bans.list, "SELECT peer, name, reason FROM bans"},
      {&bans.put,
       "INSERT INTO bans(peer, name, reason) VALUES(?1, ?2, ?3) ON CONFLICT(peer) DO UPDATE SET name = ?2, reason = "
       "?3"},
      {&bans.drop, "DELETE FROM bans WHERE peer = ?"},
      {&pairings.list, "SELECT peer, name FROM pairings"},
      {&pairings.put, "INSERT INTO pairings(peer, name) VALUES(?1, ?2) ON CONFLICT(peer) DO UPDATE SET name = ?2"},
      {&pairings.drop, "DELETE FROM pairings WHERE peer = ?"},
  };
  for (const auto& [statement, sql] : all) {
    SqliteResult<Statement> prepared = db.prepare(sql);
    if (!prepared) return std::unexpected(prepared.error());
    *statement = std::move(*prepared);
  }
  return {};
}

Result<StateDatabase> open_or_rebuild(const std::string& path, const Log& log) {
  SqliteResult<StateDatabase> state = open_checked(path);
  if (!state && is_damage(state.error())) return rebuild(path, state.error().error.message, log);
  return without_code(std::move(state));
}

Result<StateDatabase> rebuild(const std::string& path, const std::string& damage, const Log& log) {
  int number = 1;
  while (exists(path + ".damaged-" + std::to_string(number))) ++number;
  const std::string aside = path + ".damaged-" + std::to_string(number);
  log.error("the database is damaged (" + damage + "): it is kept as " + aside +
            " and replaced by an empty one; games are hashed again, and bans, pairings and queued downloads are lost");
  if (std::rename(path.c_str(), aside.c_str()) != 0) return fail_errno(errno, path);
  static_cast<void>(std::rename((path + "-wal").c_str(), (aside + "-wal").c_str()));
  static_cast<void>(std::remove((path + "-shm").c_str()));
  return without_code(open_state(path));
}

}  // namespace peer::store
