#include "ctl/text/format.h"

#include <catch2/catch_test_macros.hpp>

#include "ctl/text/columns.h"

namespace peer::ctl {
namespace {

TEST_CASE("Sizes are shown with a unit and two or three digits") {
  CHECK(human_bytes(0) == "0 B");
  CHECK(human_bytes(999) == "999 B");
  CHECK(human_bytes(1000) == "1.0 kB");
  CHECK(human_bytes(999'999) == "1.0 MB");
  CHECK(human_bytes(85'400'000) == "85 MB");
  CHECK(human_bytes(3.26e9) == "3.3 GB");
  CHECK(human_rate(11'200'000) == "11 MB/s");
}

TEST_CASE("Times are shown in one or two units") {
  CHECK(human_seconds(0) == "0 s");
  CHECK(human_seconds(0.42) == "0.4 s");
  CHECK(human_seconds(59.4) == "59 s");
  CHECK(human_seconds(59.6) == "1 min");
  CHECK(human_seconds(200) == "3 min 20 s");
  CHECK(human_seconds(7500) == "2 h 5 min");
  CHECK(human_seconds(3600 * 76) == "3 d 4 h");
}

TEST_CASE("A name in a suggested command is quoted for the shell") {
  CHECK(shell_word("quake-3.2") == "quake-3.2");
  CHECK(shell_word("\u5c06\u68cb") == "\u5c06\u68cb");
  CHECK(shell_word("my game") == "'my game'");
  CHECK(shell_word("it's") == "'it'\\''s'");
  CHECK(shell_word("") == "''");
}

TEST_CASE("A progress line that is too long loses its least important parts") {
  Progress progress;
  progress.game = "a rather long name of a game";
  progress.state = "downloading";
  progress.total = 3e9;
  progress.done = 1.26e9;
  progress.rate = 11e6;
  progress.eta_s = 160;
  progress.sources = 3;
  progress.bottleneck = "network";
  CHECK(progress_line(progress, 200) ==
        "a rather long name of a game:  42 %  11 MB/s  2 min 40 s left  1.3 GB of 3.0 GB  3 sources  held back by the "
        "network");
  CHECK(progress_line(progress, 50) ==
        "a rather\u2026f a game:  42 %  11 MB/s  2 min"
        " 40 s left");
  CHECK(progress_line(progress, 20) == "a rath\u2026a game:  42 %");
  for (std::size_t width = 0; width < 130; ++width) CHECK(columns(progress_line(progress, width)) <= width);
}

TEST_CASE("A progress line fits its width and shows 100 % only at the end") {
  Progress progress;
  progress.game = "demo";
  progress.state = "downloading";
  progress.total = 1000;
  progress.done = 999.9;
  progress.rate = 1e6;
  progress.eta_s = 12;
  progress.sources = 1;
  CHECK(progress_line(progress, 200) == "demo:  99 %  1.0 MB/s  12 s left  1.0 kB of 1.0 kB  1 source");
  CHECK(progress_line(progress, 10) == "d\u2026o:  99 %");
  progress.state = "paused";
  progress.error = "the disk is full";
  CHECK(progress_line(progress, 200) == "demo: paused: the disk is full");
  progress.error.clear();
  CHECK(progress_line(progress, 200) == "demo: paused at 99 %  'peerctl resume' continues it");
}

TEST_CASE("A verify line fits its width and shows the damage found so far") {
  VerifyState verify;
  verify.game = "demo";
  verify.total = 40e6;
  verify.done = 13.6e6;
  CHECK(verify_line(verify, 200) == "demo: verifying  34 %");
  verify.rate = 4e6;
  CHECK(verify_line(verify, 200) == "demo: verifying  34 %  4.0 MB/s  6.6 s left  14 MB of 40 MB");
  verify.damaged = 1;
  CHECK(verify_line(verify, 200) == "demo: verifying  34 %  1 file damaged  4.0 MB/s  6.6 s left  14 MB of 40 MB");
  for (std::size_t width = 0; width < 130; ++width) CHECK(columns(verify_line(verify, width)) <= width);
  verify.damaged = 2;
  verify.repairing = true;
  CHECK(verify_line(verify, 200) == "demo: repairing  2 files damaged");
}

}  // namespace
}  // namespace peer::ctl
