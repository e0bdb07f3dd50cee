#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <vector>

#include "libpeer/store/disk.h"
#include "support/store/temp_directory.h"

namespace peer::store {
namespace {

TEST_CASE("A file that is written atomically as private has mode 0600 from the start") {
  const test::TempDirectory place;
  const auto directory = posix_disk()->open(place.path(), false, false);
  REQUIRE(directory);
  const std::vector<std::uint8_t> secret{1, 2, 3};
  REQUIRE(write_file_atomically(**directory, "key", secret, OpenMode::create_private));
  struct stat info{};
  REQUIRE(::stat((place / "key").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);
  CHECK(info.st_size == 3);
}

}  // namespace
}  // namespace peer::store
