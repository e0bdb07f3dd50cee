// Owners of SQLite's handles. Failed calls return errors as values.
// Loop: one thread at a time.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "libpeer/base/result.h"

namespace peer::store {

/// A failed call: the error for the store's callers, and SQLite's extended result code.
struct SqliteError {
  Error error;
  int code = SQLITE_ERROR;
};
template <class T = void>
using SqliteResult = std::expected<T, SqliteError>;

/// The database file is corrupt or not a database.
bool is_damage(const SqliteError& error) noexcept;

/// One prepared statement. Bind, step and read it; reset() it before the next use.
class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* handle) noexcept : handle_(handle) {}

  void bind(int index, std::int64_t value) noexcept { sqlite3_bind_int64(handle_.get(), index, value); }
  /// `bytes` must live until reset(). Text is stored as bytes, because a file name may be invalid UTF-8.
  void bind(int index, std::string_view bytes) noexcept {
    sqlite3_bind_blob64(handle_.get(), index, bytes.data() == nullptr ? "" : bytes.data(), bytes.size(), SQLITE_STATIC);
  }
  void bind(int index, std::span<const std::uint8_t> bytes) noexcept {
    bind(index, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  /// Returns SQLITE_ROW, SQLITE_DONE or an error code.
  int step() noexcept { return sqlite3_step(handle_.get()); }
  void reset() noexcept { sqlite3_reset(handle_.get()); }

  std::int64_t integer(int column) const noexcept { return sqlite3_column_int64(handle_.get(), column); }
  /// Valid until the next step or reset.
  std::string_view bytes(int column) const noexcept {
    const void* data = sqlite3_column_blob(handle_.get(), column);
    return {static_cast<const char*>(data), static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
  }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* handle) const noexcept { sqlite3_finalize(handle); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

/// An open database.
class Database {
 public:
  static SqliteResult<Database> open(const std::string& path);

  SqliteResult<void> execute(const char* sql);
  SqliteResult<Statement> prepare(std::string_view sql);
  /// The error of a call that returned `code`: no_space if the disk is full, otherwise disk_error.
  std::unexpected<SqliteError> failed(int code) const;
  /// The first column of the first row.
  SqliteResult<std::int64_t> integer(std::string_view sql);

 private:
  struct Close {
    void operator()(sqlite3* handle) const noexcept { sqlite3_close_v2(handle); }
  };
  std::unique_ptr<sqlite3, Close> handle_;
  std::string path_;
};

}  // namespace peer::store
