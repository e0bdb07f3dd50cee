#include "libpeer/downloads/stored_options.h"

#include <catch2/catch_test_macros.hpp>

using namespace peer;
using namespace std::chrono_literals;
using downloads::DownloadEntry;
using downloads::format_options;
using downloads::parse_options;

namespace {
constexpr runtime::TimePoint kNow{1h};
}

TEST_CASE("The options of a download survive a round trip through the store") {
  PeerId peer;
  peer.bytes.fill(7);
  DownloadEntry entry{runtime::CancellationToken()};
  entry.request.version_prefix = "0123456789ab";
  entry.request.automatic = true;
  entry.request.from = {peer};
  entry.wait.bring(90s, kNow);
  entry.figures.progress.bytes_reused = 12'345;
  const std::string text = format_options(entry, kNow + 30s);
  CHECK(text == "version=0123456789ab auto=1 from=" + peer.hex() + " wait=60 reused=12345 ");

  DownloadEntry read{runtime::CancellationToken()};
  parse_options(text, read, kNow);
  CHECK(read.request.version_prefix == "0123456789ab");
  CHECK(read.request.automatic);
  CHECK(read.request.from == std::set<PeerId>{peer});
  CHECK(read.wait.left(kNow) == 60s);
  CHECK(read.reused() == 12'345);
}

TEST_CASE("A download without options is stored as an empty text") {
  DownloadEntry entry{runtime::CancellationToken()};
  CHECK(format_options(entry, kNow).empty());
  parse_options("", entry, kNow);
  CHECK_FALSE(entry.wait.brought());
}

TEST_CASE("Rows of version 0.1.0 and rows with malformed words keep the options that can be read") {
  DownloadEntry entry{runtime::CancellationToken()};
  parse_options("version=0123456789ab wait=x from=nobody later=1 reused=many word ", entry, kNow);
  CHECK(entry.request.version_prefix == "0123456789ab");
  CHECK(entry.request.from.empty());
  CHECK(entry.wait.left(kNow) == 0s);
  CHECK(entry.reused() == 0);
}
