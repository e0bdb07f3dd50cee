#include <sqlite3.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>

#include "libpeer/store/store.h"
#include "support/store/temp_directory.h"

namespace peer::store {
namespace {

Digest digest(std::uint8_t seed) {
  Digest value;
  value.bytes.fill(seed);
  return value;
}

CachedFile cached(std::string path, std::uint8_t seed, std::size_t chunks) {
  return {std::move(path), FileStamp{seed, seed + 1, -seed, ~std::uint64_t{0} - seed},
          std::vector<Digest>(chunks, digest(seed))};
}

std::vector<CachedFile> load(Store& store, std::string_view root, std::string_view game) {
  auto files = store.load_game(root, game);
  REQUIRE(files);
  std::ranges::sort(*files, {}, &CachedFile::path);
  return *files;
}

bool equal(const std::vector<CachedFile>& a, const std::vector<CachedFile>& b) {
  return std::ranges::equal(a, b, [](const CachedFile& x, const CachedFile& y) {
    return x.path == y.path && x.stamp == y.stamp && x.chunks == y.chunks;
  });
}

struct Lines {
  std::vector<std::string> lines;
  Log log() {
    return Log([this](LogLevel, std::string_view, const std::string& line, const LogFields&) { lines.push_back(line); },
               "store");
  }
};

}  // namespace

TEST_CASE("A game's cached files are loaded as they were saved") {
  const auto store = *open_sqlite_store(":memory:", Log());
  CHECK(load(*store, "/r", "g").empty());
  const std::vector<CachedFile> files = {cached("a", 1, 3), cached("b/empty", 2, 0), cached("b/\xff", 3, 1)};
  REQUIRE(store->save_files("/r", "g", files));
  CHECK(equal(load(*store, "/r", "g"), files));
  CHECK(load(*store, "/r", "other").empty());
  CHECK(load(*store, "/other", "g").empty());

  REQUIRE(store->save_files("/r", "g", {cached("a", 9, 1)}));
  CHECK(equal(load(*store, "/r", "g"), {cached("a", 9, 1), files[1], files[2]}));

  REQUIRE(store->prune_game("/r", "g", {"a", "unknown"}));
  CHECK(equal(load(*store, "/r", "g"), {cached("a", 9, 1)}));

  REQUIRE(store->save_files("/r", "h", {cached("a", 4, 1)}));
  REQUIRE(store->forget_game("/r", "g"));
  CHECK(load(*store, "/r", "g").empty());
  CHECK(load(*store, "/r", "h").size() == 1);
}

TEST_CASE("Downloads are listed, replaced and removed") {
  const auto store = *open_sqlite_store(":memory:", Log());
  CHECK(store->downloads()->empty());
  REQUIRE(store->put_download({"b", digest(1), "{}", 1}));
  REQUIRE(store->put_download({"a", digest(2), "{\"x\":1}", 2}));
  REQUIRE(store->put_download({"b", digest(3), "", 3, true, 1ULL << 40, 1LL << 41, 1ULL << 39}));
  const auto all = *store->downloads();
  REQUIRE(all.size() == 2);
  CHECK(all[0].game == "a");
  CHECK(all[0].options == "{\"x\":1}");
  CHECK_FALSE(all[0].paused);
  CHECK(all[1].version == digest(3));
  CHECK(all[1].paused);
  CHECK(all[1].received == 1ULL << 40);
  CHECK(all[1].elapsed_ms == 1LL << 41);
  CHECK(all[1].timed == 1ULL << 39);
  REQUIRE(store->remove_download("a"));
  REQUIRE(store->remove_download("a"));
  CHECK(store->downloads()->size() == 1);
}

TEST_CASE("Bans are listed, replaced and removed") {
  const auto store = *open_sqlite_store(":memory:", Log());
  PeerId one;
  PeerId two;
  one.bytes.fill(1);
  two.bytes.fill(2);
  REQUIRE(store->put_ban({one, "one", "lies"}));
  REQUIRE(store->put_ban({two, "two", "a person"}));
  REQUIRE(store->put_ban({one, "one", "still lies"}));
  REQUIRE(store->bans()->size() == 2);
  REQUIRE(store->remove_ban(two));
  REQUIRE(store->remove_ban(two));
  const auto all = *store->bans();
  REQUIRE(all.size() == 1);
  CHECK(all[0].peer == one);
  CHECK(all[0].reason == "still lies");
}

TEST_CASE("Pairings are listed, replaced and removed") {
  const auto store = *open_sqlite_store(":memory:", Log());
  PeerId one;
  PeerId two;
  one.bytes.fill(1);
  two.bytes.fill(2);
  CHECK(store->pairings()->empty());
  REQUIRE(store->put_pairing({one, "one"}));
  REQUIRE(store->put_pairing({two, "two"}));
  REQUIRE(store->put_pairing({one, "another name"}));
  REQUIRE(store->pairings()->size() == 2);
  REQUIRE(store->remove_pairing(two));
  REQUIRE(store->remove_pairing(two));
  const auto all = *store->pairings();
  REQUIRE(all.size() == 1);
  CHECK(all[0].peer == one);
  CHECK(all[0].name == "another name");
}

TEST_CASE("A database with the first schema keeps its downloads") {
  const test::TempDirectory directory;
  const std::string path = directory / "state.db";
  {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    const std::string version(64, 'a');
    const std::string schema =
        "CREATE TABLE games(id INTEGER PRIMARY KEY, root BLOB NOT NULL, game BLOB NOT NULL, UNIQUE(root, game));"
        "CREATE TABLE files(game INTEGER NOT NULL REFERENCES games(id) ON DELETE CASCADE, path BLOB NOT NULL,"
        "  size INTEGER NOT NULL, mtime INTEGER NOT NULL, ctime INTEGER NOT NULL, inode INTEGER NOT NULL,"
        "  chunks BLOB NOT NULL, UNIQUE(game, path));"
        "CREATE TABLE downloads(game BLOB PRIMARY KEY, version BLOB NOT NULL, options BLOB NOT NULL,"
        "  position INTEGER NOT NULL);"
        "CREATE TABLE entries(key BLOB PRIMARY KEY, value BLOB NOT NULL);"
        "INSERT INTO downloads VALUES(CAST('old' AS BLOB), x'" +
        version + "', x'', 5); PRAGMA user_version = 1;";
    REQUIRE(sqlite3_exec(db, schema.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
  }
  const auto store = *open_sqlite_store(path, Log());
  const auto all = *store->downloads();
  REQUIRE(all.size() == 1);
  CHECK(all[0].game == "old");
  CHECK(all[0].version == digest(0xaa));
  CHECK(all[0].position == 5);
  CHECK_FALSE(all[0].paused);
  CHECK(all[0].received == 0);
}

TEST_CASE("A database of 0.1.0 keeps the received bytes and starts to measure the time") {
  const test::TempDirectory directory;
  const std::string path = directory / "state.db";
  REQUIRE((*open_sqlite_store(path, Log()))->put_download({"old", digest(1), "", 1, true, 1000, 50, 900}));
  {
    // 0.1.0 uses schema 4.
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    const char* back =
        "ALTER TABLE downloads DROP COLUMN elapsed_ms; ALTER TABLE downloads DROP COLUMN timed;"
        "PRAGMA user_version = 4;";
    REQUIRE(sqlite3_exec(db, back, nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
  }
  const auto store = *open_sqlite_store(path, Log());
  const auto all = *store->downloads();
  REQUIRE(all.size() == 1);
  CHECK(all[0].received == 1000);
  CHECK(all[0].elapsed_ms == 0);
  CHECK(all[0].timed == 0);
  REQUIRE(store->put_download({"old", digest(1), "", 1, true, 1000, 70, 90}));
  CHECK(store->downloads()->at(0).elapsed_ms == 70);
}

TEST_CASE("Data survives closing and reopening the database") {
  const test::TempDirectory directory;
  const std::vector<CachedFile> files = {cached("a", 1, 3)};
  {
    const auto store = *open_sqlite_store(directory / "state.db", Log());
    REQUIRE(store->save_files("/r", "g", files));
    REQUIRE(store->put_download({"b", digest(1), "", 1}));
  }
  const auto store = *open_sqlite_store(directory / "state.db", Log());
  CHECK(equal(load(*store, "/r", "g"), files));
  CHECK(store->downloads()->size() == 1);
}

TEST_CASE("A file that is not a database is moved aside and logged") {
  const test::TempDirectory directory;
  const std::string path = directory / "state.db";
  for (int i = 1; i <= 2; ++i) {
    std::ofstream(path, std::ios::trunc) << std::string(10'000, 'x');
    Lines lines;
    const auto store = open_sqlite_store(path, lines.log());
    REQUIRE(store);
    REQUIRE((*store)->put_download({"b", digest(1), "", 1}));
    CHECK(std::filesystem::file_size(path + ".damaged-" + std::to_string(i)) == 10'000);
    REQUIRE(lines.lines.size() == 1);
    CHECK(lines.lines[0].find(path + ".damaged-" + std::to_string(i)) != std::string::npos);
  }
}

TEST_CASE("Damage found in use replaces the database by an empty one") {
  const test::TempDirectory directory;
  const std::string path = directory / "state.db";
  {
    const auto store = *open_sqlite_store(path, Log());
    std::vector<CachedFile> files;
    for (int i = 0; i < 500; ++i) files.push_back(cached("file" + std::to_string(i), 1, 20));
    REQUIRE(store->save_files("/r", "g", files));
  }
  {  // overwrite everything after the schema's pages
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(10 * 4096);
    file << std::string(std::filesystem::file_size(path) - 10 * 4096, '\x5a');
  }
  Lines lines;
  const auto store = *open_sqlite_store(path, lines.log());
  CHECK(load(*store, "/r", "g").empty());
  CHECK(lines.lines.size() == 1);
  CHECK(std::filesystem::exists(path + ".damaged-1"));
  REQUIRE(store->save_files("/r", "g", {cached("a", 1, 1)}));
  CHECK(load(*store, "/r", "g").size() == 1);
}

TEST_CASE("A database that cannot be created is an error that names its path") {
  const auto store = open_sqlite_store("/nonexistent/state.db", Log());
  REQUIRE_FALSE(store);
  CHECK(store.error().message.find("/nonexistent/state.db") != std::string::npos);
  CHECK(store.error().code == ErrorCode::disk_error);
  CHECK(store.error().system == 0);  // SQLite's code is not an errno
}

}  // namespace peer::store
