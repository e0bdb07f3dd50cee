#include "libpeer/library/scan.h"

#include <catch2/catch_test_macros.hpp>
#include <cerrno>

#include "support/store/memory_disk.h"

namespace peer::library {
namespace {

constexpr std::int64_t kNow = 1'000'000;

ScannedGame scan(test::MemoryDisk& disk, const std::string& game) {
  const auto root = *disk.open("/r", false, false);
  auto scanned = scan_game(*root, game, kNow, nullptr, nullptr, runtime::StopFlag());
  REQUIRE(scanned);
  return std::move(*scanned);
}

std::vector<std::string> paths(const ScannedGame& game) {
  std::vector<std::string> all;
  for (const ScannedFile& file : game.files) all.push_back(file.path);
  return all;
}

bool has_problem(const ScannedGame& game, std::string_view path, std::string_view part) {
  for (const Problem& problem : game.problems) {
    if (problem.path == path && problem.reason.find(part) != std::string::npos) return true;
  }
  return false;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("scan: files, empty directories and symlinks, sorted by path") {
  test::MemoryDisk disk;
  disk.write("/r/g/b/z", "12345");
  disk.write("/r/g/b-a", "1");
  disk.write("/r/g/.hidden", "");
  disk.set_executable("/r/g/b-a", true);
  disk.make_directories("/r/g/empty/inner");
  disk.make_symlink("/r/g/b/link", "../b-a");
  const ScannedGame game = scan(disk, "g");
  CHECK(paths(game) == Names{".hidden", "b-a", "b/z"});
  CHECK(game.files[1].executable);
  CHECK_FALSE(game.files[2].executable);
  CHECK(game.files[2].stamp.size == 5);
  CHECK(game.directories == Names{"empty/inner"});
  REQUIRE(game.symlinks.size() == 1);
  CHECK(game.symlinks[0].path == "b/link");
  CHECK(game.size == 6);
  CHECK(game.problems.empty());
  CHECK_FALSE(game.unshareable);
  CHECK(disk.bytes_read() == 0);
  CHECK(disk.open_directories() == 0);
}

TEST_CASE(
    "scan: links out of the game and special files are left out and listed as problems; the game stays shareable") {
  test::MemoryDisk disk;
  disk.write("/r/g/f", "x");
  disk.make_symlink("/r/g/absolute", "/etc/passwd");
  disk.make_symlink("/r/g/d/out", "../../other");
  disk.make_symlink("/r/g/d/in", "../f");
  disk.make_fifo("/r/g/pipe");
  const ScannedGame game = scan(disk, "g");
  CHECK(paths(game) == Names{"f"});
  CHECK(game.symlinks.size() == 1);
  CHECK(game.problems.size() == 3);
  CHECK(has_problem(game, "absolute", "absolute"));
  CHECK(has_problem(game, "d/out", "outside the game"));
  CHECK(has_problem(game, "pipe", "left out"));
  CHECK_FALSE(game.unshareable);
}

TEST_CASE("scan: illegal paths make a game unshareable and are listed as problems") {
  test::MemoryDisk disk;
  disk.write("/r/g/fine", "x");
  disk.write("/r/g/back\\slash", "x");
  disk.write("/r/g/d/new\nline", "x");
  disk.write("/r/g/bad\xff/below", "x");
  std::string deep = "/r/h";
  for (int i = 0; i < 70; ++i) deep += "/d";
  disk.write(deep, "x");
  const ScannedGame game = scan(disk, "g");
  CHECK(game.unshareable);
  CHECK(game.problems.size() == 3);
  CHECK(has_problem(game, "back\\x5cslash", "backslash"));
  CHECK(has_problem(game, "d/new\\x0aline", "control"));
  CHECK(has_problem(game, "bad\\xff", "UTF-8"));
  const ScannedGame other = scan(disk, "h");
  CHECK(other.unshareable);
  CHECK(other.problems.size() == 1);
}

TEST_CASE("scan: at most 100 problems are listed") {
  test::MemoryDisk disk;
  for (int i = 0; i < 150; ++i) disk.make_fifo("/r/g/p" + std::to_string(i));
  const ScannedGame game = scan(disk, "g");
  CHECK(game.problems.size() == 101);
  CHECK(game.problems.back().reason == "and 50 more");
}

TEST_CASE("scan: .peerdignore leaves out files, even those with illegal names") {
  test::MemoryDisk disk;
  disk.write("/r/g/.peerdignore", "*.log\n/saves/\n!keep.log\npipe\nbad*\n");
  disk.write("/r/g/f", "x");
  disk.write("/r/g/a.log", "x");
  disk.write("/r/g/keep.log", "x");
  disk.write("/r/g/saves/1", "x");
  disk.write("/r/g/d/saves/1", "x");
  disk.write("/r/g/logs/a.log", "x");
  disk.write("/r/g/bad\xff", "x");
  disk.make_fifo("/r/g/pipe");
  const ScannedGame game = scan(disk, "g");
  CHECK(paths(game) == Names{".peerdignore", "d/saves/1", "f", "keep.log"});
  CHECK(game.directories == Names{"logs"});
  CHECK(game.problems.empty());
  CHECK_FALSE(game.unshareable);
}

TEST_CASE("scan: an unusable .peerdignore is listed as a problem") {
  test::MemoryDisk disk;
  disk.write("/r/g/f", "x");
  disk.make_symlink("/r/g/.peerdignore", "f");
  const ScannedGame game = scan(disk, "g");
  CHECK(has_problem(game, ".peerdignore", "is ignored"));
  CHECK(paths(game) == Names{"f"});
}

TEST_CASE("scan: a game may be a symlink; an unreadable directory is listed as a problem") {
  test::MemoryDisk disk;
  disk.write("/elsewhere/game/f", "x");
  disk.make_symlink("/r/g", "../elsewhere/game");
  CHECK(paths(scan(disk, "g")) == Names{"f"});

  disk.write("/r/h/d/f", "x");
  disk.on_call([](std::string_view operation, const std::string& path, std::uint64_t) {
    return operation == "list" && path == "/r/h/d" ? EACCES : 0;
  });
  const ScannedGame game = scan(disk, "h");
  CHECK(game.unreadable);
  CHECK(has_problem(game, "d", "cannot be read"));
}

TEST_CASE("scan: the newest timestamp is found, and timestamps in the future give a mark") {
  test::MemoryDisk disk;
  std::int64_t clock = 100;
  disk.set_clock([&] { return clock; });
  disk.write("/r/g/f", "x");
  clock = 300;
  disk.make_directories("/r/g/d");
  clock = 200;
  disk.write("/r/g/e", "x");
  CHECK(scan(disk, "g").newest == 300);
  CHECK(scan(disk, "g").future_mark == 0);
  disk.set_mtime("/r/g/f", kNow + 5);
  const std::uint64_t first = scan(disk, "g").future_mark;
  CHECK(first != 0);
  CHECK(scan(disk, "g").newest == 300);
  CHECK(scan(disk, "g").future_mark == first);
  disk.set_mtime("/r/g/f", kNow + 6);
  CHECK(scan(disk, "g").future_mark != first);
}

TEST_CASE(
    "scan: the games of all roots are listed; the first root takes precedence; dot names and files are not games") {
  test::MemoryDisk disk;
  disk.write("/r/both/f", "x");
  disk.write("/r/.peerd/staging/f", "x");
  disk.write("/r/file", "x");
  disk.make_symlink("/r/linked", "/elsewhere/game");
  disk.make_symlink("/r/dangling", "/elsewhere/missing");
  disk.make_symlink("/r/to-file", "file");
  disk.write("/elsewhere/game/f", "x");
  disk.write("/s/both/f", "x");
  disk.write("/s/only/f", "x");
  const FoundGames found = find_games(disk, {"/r", "/missing", "/s"}, nullptr);
  REQUIRE(found.games.size() == 3);
  CHECK(found.games[0].name == "both");
  CHECK(found.games[0].root == "/r");
  CHECK(found.games[0].shadowed_roots == Names{"/s"});
  CHECK(found.games[1].name == "linked");
  CHECK(found.games[2].name == "only");
  REQUIRE(found.failures.size() == 1);
  CHECK(found.failures[0].error.message.find("/missing") != std::string::npos);
}

}  // namespace peer::library
