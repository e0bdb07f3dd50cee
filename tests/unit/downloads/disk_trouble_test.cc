#include "libpeer/downloads/disk_trouble.h"

#include <catch2/catch_test_macros.hpp>
#include <cerrno>

using namespace peer;
using namespace std::chrono_literals;
using downloads::DiskTrouble;

namespace {
constexpr runtime::TimePoint kStart{1h};

Error disk_error(int number) { return Error{ErrorCode::disk_error, "write failed", number}; }
}  // namespace

TEST_CASE("Errors of a full or failing disk are temporary, and errors of a name or file system are not") {
  CHECK(DiskTrouble::may_pass(Error{ErrorCode::no_space, "full", 0}));
  CHECK(DiskTrouble::may_pass(disk_error(EIO)));
  CHECK(DiskTrouble::may_pass(disk_error(EROFS)));
  CHECK_FALSE(DiskTrouble::may_pass(disk_error(ENAMETOOLONG)));
  CHECK_FALSE(DiskTrouble::may_pass(disk_error(EFBIG)));
  CHECK_FALSE(DiskTrouble::may_pass(Error{ErrorCode::source_lost, "gone", 0}));
}

TEST_CASE("The pauses between attempts double up to 30 s, and start again after a minute without trouble") {
  DiskTrouble trouble;
  runtime::TimePoint now = kStart;
  for (const runtime::Duration pause : {2s, 4s, 8s, 16s, 30s, 30s}) {
    trouble.record(disk_error(EIO), now, 0);
    CHECK(trouble.next_try() == now + pause);
    now = trouble.next_try();
  }
  now += 61s;
  trouble.record(disk_error(EIO), now, 0);
  CHECK(trouble.next_try() == now + 2s);
}

TEST_CASE("An error that is already known is not reported again") {
  DiskTrouble trouble;
  CHECK(trouble.record(disk_error(EIO), kStart, 0));
  CHECK_FALSE(trouble.record(disk_error(EIO), kStart + 2s, 0));
  CHECK(trouble.record(Error{ErrorCode::no_space, "full", 0}, kStart + 6s, 0));
}

TEST_CASE("Trouble ends when more is staged than when it occurred") {
  DiskTrouble trouble;
  CHECK_FALSE(trouble.note_progress(0));
  CHECK_FALSE(trouble.staged);
  trouble.record(disk_error(EIO), kStart, 100);
  trouble.record(disk_error(EIO), kStart + 2s, 50);
  CHECK_FALSE(trouble.note_progress(100));
  CHECK(trouble.staged);
  CHECK(trouble.note_progress(101));
  CHECK_FALSE(trouble.error.has_value());
  CHECK_FALSE(trouble.note_progress(102));
}
