// A thin owner of SQLite's handles: statements that reset themselves, results as values.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "libpeer/base/result.h"

namespace peer::store {

/// One prepared statement. Bind, step, read; reset() before it is used again.
class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* handle) noexcept : handle_(handle) {}

  void bind(int index, std::int64_t value) noexcept { sqlite3_bind_int64(handle_.get(), index, value); }
  /// What is bound must live until reset(). Text is stored as bytes: file names need not be valid UTF-8 to be cached.
  void bind(int index, std::string_view bytes) noexcept {
    sqlite3_bind_blob64(handle_.get(), index, bytes.data() == nullptr ? "" : bytes.data(), bytes.size(), SQLITE_STATIC);
  }
  void bind(int index, std::span<const std::uint8_t> bytes) noexcept {
    bind(index, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  /// SQLITE_ROW, SQLITE_DONE or an error.
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
  /// Fails: with SQLite's extended code in Error::system.
  static Result<Database> open(const std::string& path);

  Result<void> execute(const char* sql);
  Result<Statement> prepare(std::string_view sql);
  /// The error of a call that returned `code`.
  std::unexpected<Error> failed(int code) const;
  Result<std::int64_t> integer(std::string_view sql);

 private:
  struct Close {
    void operator()(sqlite3* handle) const noexcept { sqlite3_close_v2(handle); }
  };
  std::unique_ptr<sqlite3, Close> handle_;
  std::string path_;
};

/// Whether the error says that the file is no sound database.
bool is_damage(const Error& error) noexcept;

}  // namespace peer::store
