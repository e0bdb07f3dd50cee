#include "libpeer/downloads/table.h"

#include <catch2/catch_test_macros.hpp>

using namespace peer;
using downloads::DownloadTable;

namespace {
downloads::PastDownload finished(const std::string& game) {
  api::DownloadInfo info;
  info.game = game;
  info.state = api::DownloadState::finished;
  return {info, downloads::DownloadRequest()};
}
}  // namespace

TEST_CASE("The oldest outcome of a download makes room for a new one", "[downloads]") {
  DownloadTable table;
  // The alphabetical order is the reverse of the order in time.
  const auto name = [](std::size_t i) { return "game" + std::to_string(1000 - i); };
  for (std::size_t i = 0; i < DownloadTable::kMaxPast; ++i) table.add_past(finished(name(i)));
  CHECK(table.past().size() == DownloadTable::kMaxPast);
  table.add_past(finished(name(0)));  // ends again: now the second is the oldest
  CHECK(table.past().size() == DownloadTable::kMaxPast);
  table.add_past(finished("another"));
  CHECK(table.past().size() == DownloadTable::kMaxPast);
  CHECK(table.past(name(1)) == nullptr);
  CHECK(table.past(name(0)) != nullptr);
  CHECK(table.past(name(2)) != nullptr);
  CHECK(table.past(name(DownloadTable::kMaxPast - 1)) != nullptr);
}
