// StateDatabase: the daemon's open SQLite database, with its schema and its prepared statements.
#pragma once

#include <string>

#include "libpeer/base/log.h"
#include "libpeer/store/sqlite_db.h"

namespace peer::store {

struct TransactionStatements {
  Statement begin, commit, rollback;
};
struct CacheStatements {
  Statement find_game, add_game, drop_game;
  Statement load_files, save_file, list_paths, drop_file;
};
/// The statements of a table whose rows are listed, replaced and deleted one by one.
struct TableStatements {
  Statement list, put, drop;
};

struct StateDatabase {
  Database db;
  TransactionStatements transaction;
  CacheStatements cache;
  TableStatements downloads;
  TableStatements bans;
  TableStatements pairings;

  SqliteResult<void> prepare();
};

/// Steps a statement that yields no rows.
SqliteResult<void> run(StateDatabase& state, Statement& statement);

/// Runs `work()` in a transaction, which is rolled back if it fails.
template <class F>
SqliteResult<void> transact(StateDatabase& state, F work) {
  if (SqliteResult<void> begun = run(state, state.transaction.begin); !begun) return begun;
  SqliteResult<void> done = work();
  if (done) done = run(state, state.transaction.commit);
  if (!done) static_cast<void>(run(state, state.transaction.rollback));  // fails if SQLite has rolled back by itself
  return done;
}

/// Opens or creates the database; a damaged one is moved aside first, as by rebuild().
Result<StateDatabase> open_or_rebuild(const std::string& path, const Log& log);
/// Renames the database to NAME.damaged-N, logs `damage` and creates an empty one. No handle to it may be open.
Result<StateDatabase> rebuild(const std::string& path, const std::string& damage, const Log& log);

}  // namespace peer::store
