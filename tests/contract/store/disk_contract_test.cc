// The contract of store::Disk, on the machine's file system and in memory.
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <set>

#include "libpeer/store/disk.h"
#include "support/store/memory_disk.h"
#include "support/store/temp_directory.h"

namespace peer::store {
namespace {

struct Posix {
  test::TempDirectory directory;
  std::unique_ptr<Disk> owned = posix_disk();
  Disk& disk() { return *owned; }
  std::string root() { return directory.path(); }
};

struct Memory {
  test::MemoryDisk memory;
  Disk& disk() { return memory; }
  std::string root() { return "/tmp/root"; }
};

std::vector<std::uint8_t> bytes(std::string_view text) { return {text.begin(), text.end()}; }

template <class T>
int error_of(const Result<T>& result) {
  return result ? 0 : result.error().system;
}

void put(Directory& directory, std::string_view name, std::string_view content) {
  const auto file = directory.open_file(name, OpenMode::create);
  REQUIRE(file);
  REQUIRE((*file)->truncate(0));
  REQUIRE((*file)->write_at(bytes(content), 0));
}

std::string get(Directory& directory, std::string_view name) {
  const auto content = read_file(directory, name, 1 << 20);
  REQUIRE(content);
  return {content->begin(), content->end()};
}

std::set<std::string> names(Directory& directory) {
  const auto entries = directory.list();
  REQUIRE(entries);
  std::set<std::string> all;
  for (const DirectoryEntry& entry : *entries) all.insert(entry.name);
  return all;
}

}  // namespace

TEMPLATE_TEST_CASE("Disk: opens and creates directories by path", "", Posix, Memory) {
  TestType fixture;
  const std::string path = fixture.root() + "/a/b/c";
  CHECK(error_of(fixture.disk().open(path, false, false)) == ENOENT);
  CHECK(error_of(fixture.disk().open("relative", true, false)) == EINVAL);
  const auto made = fixture.disk().open(path, true, true);
  REQUIRE(made);
  CHECK((*made)->path() == path);
  CHECK(fixture.disk().open(path, false, false));
  put(**made, "file", "x");
  CHECK(error_of(fixture.disk().open(path + "/file", false, false)) == ENOTDIR);
  CHECK(error_of(fixture.disk().open(path + "/file/below", true, false)) == ENOTDIR);
}

TEMPLATE_TEST_CASE("Disk: open modes", "", Posix, Memory) {
  TestType fixture;
  const auto root = *fixture.disk().open(fixture.root(), true, false);
  CHECK(error_of(root->open_file("f", OpenMode::read)) == ENOENT);
  CHECK(error_of(root->open_file("f", OpenMode::write)) == ENOENT);
  CHECK(root->open_file("f", OpenMode::create_new));
  CHECK(error_of(root->open_file("f", OpenMode::create_new)) == EEXIST);
  CHECK(error_of(root->open_file("f", OpenMode::create_private)) == EEXIST);
  CHECK(root->open_file("f", OpenMode::create));
  const auto reader = root->open_file("f", OpenMode::read);
  REQUIRE(reader);
  CHECK(error_of((*reader)->write_at(bytes("x"), 0)) == EBADF);
  REQUIRE(root->make_directory("d"));
  CHECK(error_of(root->open_file("d", OpenMode::read)) == EISDIR);
  const auto missing = root->open_file("missing", OpenMode::read);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message.find(root->path() + "/missing") != std::string::npos);
}

TEMPLATE_TEST_CASE("Disk: a name is a single component", "", Posix, Memory) {
  TestType fixture;
  const auto root = *fixture.disk().open(fixture.root(), true, false);
  REQUIRE(root->make_directory("d"));
  for (const std::string& name : {std::string(""), std::string("."), std::string(".."), std::string("d/x"),
                                  std::string("/etc"), std::string("a\0b", 3)}) {
    CHECK(error_of(root->info(name)) == EINVAL);
    CHECK(error_of(root->open_directory(name, true)) == EINVAL);
    CHECK(error_of(root->open_file(name, OpenMode::create)) == EINVAL);
    CHECK(error_of(root->make_directory(name)) == EINVAL);
    CHECK(error_of(root->make_symlink(name, "d")) == EINVAL);
    CHECK(error_of(root->remove_file(name)) == EINVAL);
    CHECK(error_of(root->rename("d", *root, name, RenameMode::replace)) == EINVAL);
  }
  CHECK(error_of(root->open_file(std::string(256, 'n'), OpenMode::create)) == ENAMETOOLONG);
  CHECK(root->open_file(std::string(255, 'n'), OpenMode::create));
}

TEMPLATE_TEST_CASE("Disk: reads, writes and sizes", "", Posix, Memory) {
  TestType fixture;
  const auto root = *fixture.disk().open(fixture.root(), true, false);
  const auto file = *root->open_file("f", OpenMode::create_new);
  REQUIRE(file->write_at(bytes("hello"), 0));
  REQUIRE(file->write_at(bytes("world"), 10));
  std::vector<std::uint8_t> buffer(32);
  CHECK(file->read_at(buffer, 0).value() == 15);
  CHECK(std::string(buffer.begin(), buffer.begin() + 15) == std::string("hello\0\0\0\0\0world", 15));
  CHECK(file->read_at(buffer, 12).value() == 3);
  CHECK(file->read_at(buffer, 100).value() == 0);
  REQUIRE(file->truncate(5));
  CHECK(file->info()->size == 5);
  REQUIRE(file->allocate(1 << 20));
  CHECK(file->info()->size == 1 << 20);
  REQUIRE(file->allocate(3));
  CHECK(file->info()->size == 3);
  REQUIRE(file->allocate(0));
  CHECK(file->info()->size == 0);
  CHECK(file->sync());
}

TEMPLATE_TEST_CASE("Disk: information about entries", "", Posix, Memory) {
  TestType fixture;
  const auto root = *fixture.disk().open(fixture.root(), true, false);
  const auto file = *root->open_file("f", OpenMode::create_new);
  REQUIRE(file->write_at(bytes("12345"), 0));
  REQUIRE(file->set_mtime(1'600'000'000'123'456'789));
  REQUIRE(file->set_executable(true));
  const FileInfo info = root->info("f").value();
  CHECK(info.type == FileType::regular);
  CHECK(info.size == 5);
  CHECK(info.mtime == 1'600'000'000'123'456'789);
  CHECK(info.executable);
  CHECK(info.inode == file->info()->inode);
  CHECK(info.ctime == file->info()->ctime);
  REQUIRE(file->set_executable(false));
  CHECK_FALSE(file->info()->executable);
  REQUIRE(file->set_mtime(-1));
  CHECK(file->info()->mtime == -1);
  REQUIRE(root->make_directory("d"));
  CHECK(error_of(root->make_directory("d")) == EEXIST);
  CHECK(root->info("d")->type == FileType::directory);
  CHECK(error_of(root->info("missing")) == ENOENT);
  CHECK(names(*root) == std::set<std::string>{"d", "f"});
  CHECK(names(*root) == std::set<std::string>{"d", "f"});
}

TEMPLATE_TEST_CASE("Disk: symlinks are followed only on request", "", Posix, Memory) {
  TestType fixture;
  const auto root = *fixture.disk().open(fixture.root(), true, false);
  REQUIRE(root->make_directory("d"));
  put(*root->open_directory("d", false).value(), "inside", "x");
  put(*root, "f", "content");
  REQUIRE(root->make_symlink("to-d", "d"));
  REQUIRE(root->make_symlink("to-f", "f"));
  REQUIRE(root->make_symlink("nowhere", "missing"));
  REQUIRE(root->make_symlink("loop", "loop"));
  CHECK(error_of(root->make_symlink("f", "x")) == EEXIST);
  CHECK(root->info("to-d")->type == FileType::symlink);
  CHECK(root->read_link("to-d").value() == "d");
  CHECK(error_of(root->read_link("f")) == EINVAL);
  CHECK(error_of(root->open_directory("to-d", false)) == ENOTDIR);
  CHECK(names(*root->open_directory("to-d", true).value()) == std::set<std::string>{"inside"});
  CHECK(error_of(root->open_directory("to-f", true)) == ENOTDIR);
  CHECK(error_of(root->open_directory("nowhere", true)) == ENOENT);
  CHECK(error_of(root->open_directory("loop", true)) == ELOOP);
  REQUIRE(root->make_symlink("twice", "./d/../to-d//"));
  const auto followed = root->follow_link("twice");
  REQUIRE(followed);
  CHECK(names(*followed->directory) == std::set<std::string>{"inside"});
  REQUIRE(followed->links.size() == 2);
  CHECK(followed->links[0].own);
  CHECK(followed->links[1].own);
  CHECK(followed->owner == followed->links[0].owner);
  REQUIRE(root->make_symlink("away", fixture.root() + "/to-d"));
  CHECK(names(*root->follow_link("away")->directory) == std::set<std::string>{"inside"});
  CHECK(root->follow_link("d")->links.empty());
  CHECK(error_of(root->follow_link("to-f")) == ENOTDIR);
  CHECK(error_of(root->follow_link("nowhere")) == ENOENT);
  CHECK(error_of(root->follow_link("loop")) == ELOOP);
  CHECK(error_of(root->follow_link("..")) == EINVAL);
  CHECK(error_of(root->open_file("to-f", OpenMode::read)) == ELOOP);
  CHECK(error_of(root->open_file("to-f", OpenMode::create)) == ELOOP);
  CHECK(error_of(root->open_file("nowhere", OpenMode::create_new)) == EEXIST);
  const auto entries = root->list();
  for (const DirectoryEntry& entry : *entries) {
    if (entry.name == "to-f") CHECK(entry.type == FileType::symlink);
  }
  CHECK(fixture.disk().open(fixture.root() + "/to-d", false, false));
  REQUIRE(root->remove_file("to-d"));
  CHECK(root->open_directory("d", false));
}

TEMPLATE_TEST_CASE("Disk: renames", "", Posix, Memory) {
  TestType fixture;
  const auto root = *fixture.disk().open(fixture.root(), true, false);
  REQUIRE(root->make_directory("one"));
  REQUIRE(root->make_directory("two"));
  const auto one = *root->open_directory("one", false);
  const auto two = *root->open_directory("two", false);
  put(*one, "a", "1");
  put(*two, "b", "2");

  SECTION("replace") {
    REQUIRE(one->rename("a", *two, "b", RenameMode::replace));
    CHECK(names(*one).empty());
    CHECK(get(*two, "b") == "1");
    CHECK(error_of(one->rename("a", *two, "b", RenameMode::replace)) == ENOENT);
  }
  SECTION("no_replace") {
    CHECK(error_of(one->rename("a", *two, "b", RenameMode::no_replace)) == EEXIST);
    REQUIRE(one->rename("a", *two, "c", RenameMode::no_replace));
    CHECK(names(*two) == std::set<std::string>{"b", "c"});
  }
  SECTION("exchange of directories keeps open handles on what they were opened for") {
    REQUIRE(root->rename("one", *root, "two", RenameMode::exchange));
    CHECK(names(*one) == std::set<std::string>{"a"});
    CHECK(names(*root->open_directory("two", false).value()) == std::set<std::string>{"a"});
    CHECK(error_of(root->rename("one", *root, "three", RenameMode::exchange)) == ENOENT);
  }
  SECTION("directories") {
    CHECK(error_of(root->rename("one", *root, "two", RenameMode::replace)) == ENOTEMPTY);
    REQUIRE(two->remove_file("b"));
    REQUIRE(root->rename("one", *root, "two", RenameMode::replace));
    CHECK(names(*root) == std::set<std::string>{"two"});
  }
}

TEMPLATE_TEST_CASE("Disk: removal", "", Posix, Memory) {
  TestType fixture;
  const auto root = *fixture.disk().open(fixture.root(), true, false);
  REQUIRE(root->make_directory("d"));
  const auto below = *root->open_directory("d", false);
  put(*below, "f", "x");
  REQUIRE(below->make_symlink("l", "../outside"));
  REQUIRE(below->make_directory("empty"));
  put(*root, "outside", "kept");
  CHECK(error_of(root->remove_directory("d")) == ENOTEMPTY);
  CHECK(error_of(root->remove_file("d")) == EISDIR);
  CHECK(error_of(root->remove_directory("outside")) == ENOTDIR);
  CHECK(error_of(root->remove_file("missing")) == ENOENT);
  const auto open = *below->open_file("f", OpenMode::read);
  REQUIRE(remove_tree(*root, "d"));
  CHECK(names(*root) == std::set<std::string>{"outside"});
  CHECK(remove_tree(*root, "d"));
  REQUIRE(remove_tree(*root, "outside"));
  std::vector<std::uint8_t> buffer(1);
  CHECK(open->read_at(buffer, 0).value() == 1);  // an open file outlives its name
}

TEMPLATE_TEST_CASE("Disk: whole files", "", Posix, Memory) {
  TestType fixture;
  const auto root = *fixture.disk().open(fixture.root(), true, false);
  REQUIRE(write_file_atomically(*root, "f", bytes("one")));
  REQUIRE(write_file_atomically(*root, "f", bytes("two")));
  put(*root, ".f.new", "left over");
  REQUIRE(write_file_atomically(*root, "f", bytes("three")));
  CHECK(get(*root, "f") == "three");
  REQUIRE(write_file_atomically(*root, "f", bytes("secret"), OpenMode::create_private));
  CHECK(get(*root, "f") == "secret");
  CHECK(names(*root) == std::set<std::string>{"f"});
  CHECK(read_file(*root, "f", 4).error().code == ErrorCode::invalid);
}

TEMPLATE_TEST_CASE("Disk: syncing and space", "", Posix, Memory) {
  TestType fixture;
  const auto root = *fixture.disk().open(fixture.root(), true, false);
  put(*root, "f", "x");
  CHECK(root->sync());
  CHECK(root->sync_file_system());
  const Space space = root->space().value();
  CHECK(space.available > 0);
  CHECK(space.available <= space.total);
}

}  // namespace peer::store
