#include "libpeer/node/metrics.h"

#include <catch2/catch_test_macros.hpp>

using namespace peer;
using namespace peer::node;

TEST_CASE("Metrics sum what active and ended downloads have received from each peer") {
  MetricsSample sample;
  PeerId peer;
  sample.counters.received[peer] = 100;
  api::DownloadInfo active;
  active.state = api::DownloadState::downloading;
  active.rate = 5;
  active.sources = {{peer, 11}};
  api::DownloadInfo ended = active;
  ended.state = api::DownloadState::finished;
  sample.downloads = {active, ended};
  const std::string text = metrics_text(sample);
  CHECK(text.contains("peerd_received_bytes_total{peer_id=\"" + peer.hex() + "\"} 111\n"));
  CHECK(text.contains("peerd_downloads{state=\"downloading\"} 1\n"));
  CHECK(text.contains("peerd_download_bytes_per_second 5\n"));
}

TEST_CASE("Metrics escape quotes, backslashes and newlines in a label") {
  MetricsSample sample;
  sample.status.services.push_back({"a\"b\\c\nd", "required", "running", 0, {}});
  CHECK(metrics_text(sample).contains("peerd_service_up{service=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

TEST_CASE("Bytes sent to clients without an id are what the peers' bytes leave over") {
  MetricsSample sample;
  PeerId peer;
  sample.network.seeder.bytes_sent = 100;
  sample.network.seeder.sent_to[peer] = 70;
  CHECK(metrics_text(sample).contains("peerd_sent_bytes_total{peer_id=\"\"} 30\n"));
}
