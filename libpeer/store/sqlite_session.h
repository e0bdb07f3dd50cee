// One open SQLite database of the store: its schema, its prepared statements, and what happens to a damaged one.
#pragma once

#include <string>

#include "libpeer/base/log.h"
#include "libpeer/store/sqlite_db.h"

namespace peer::store {

/// What a Store's calls need, for one open database.
struct Session {
  Database db;
  Statement begin, commit, rollback;
  Statement find_game, add_game, drop_game;
  Statement load_files, save_file, list_paths, drop_file;
  Statement downloads, put_download, drop_download;
  Statement bans, put_ban, drop_ban;
  Statement pairings, put_pairing, drop_pairing;
  Statement get, put;

  Result<void> prepare();
};

/// Opens or creates it; a damaged one is moved aside.
Result<Session> open_or_rebuild(const std::string& path, const Log& log);
/// Moves the database aside and begins a new one. Nobody may have it open.
Result<Session> rebuild(const std::string& path, const std::string& damage, const Log& log);

}  // namespace peer::store
