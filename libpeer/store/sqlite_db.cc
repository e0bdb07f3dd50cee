#include "libpeer/store/sqlite_db.h"

namespace peer::store {

SqliteResult<Database> Database::open(const std::string& path) {
  Database database;
  database.path_ = path;
  sqlite3* handle = nullptr;
  // NOMUTEX: a single thread uses the database.
  const int code =
      sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  database.handle_.reset(handle);
  if (code != SQLITE_OK) return database.failed(code);
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, 2000);
  return database;
}

SqliteResult<void> Database::execute(const char* sql) {
  const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failed(code);
  return {};
}

SqliteResult<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return failed(code);
  return Statement(statement);
}

std::unexpected<SqliteError> Database::failed(int code) const {
  const bool full = (code & 0xFF) == SQLITE_FULL;
  std::string message = path_ + ": ";
  const bool latest = handle_ && sqlite3_extended_errcode(handle_.get()) == code;  // if not, the caller found the error
  message += latest ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code);
  Error error{full ? ErrorCode::no_space : ErrorCode::disk_error, std::move(message)};
  return std::unexpected(SqliteError{std::move(error), code});
}

SqliteResult<std::int64_t> Database::integer(std::string_view sql) {
  SqliteResult<Statement> statement = prepare(sql);
  if (!statement) return std::unexpected(statement.error());
  const int code = statement->step();
  if (code != SQLITE_ROW) return failed(code);
  return statement->integer(0);
}

bool is_damage(const SqliteError& error) noexcept {
  const int code = error.code & 0xFF;
  return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

}  // namespace peer::store
