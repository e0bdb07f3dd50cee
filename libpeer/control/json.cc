#include "libpeer/control/json.h"

#include <cmath>
#include <cstdio>
#include <ctime>

#include "libpeer/protocol/error_words.h"

namespace peer::control {
namespace {

/// Bytes per second during the time that the download was active.
std::optional<double> average_rate(const api::DownloadInfo& download) {
  if (download.elapsed_s <= 0 || download.bytes_timed == 0) return std::nullopt;
  return std::round(static_cast<double>(download.bytes_timed) / download.elapsed_s);
}

}  // namespace

std::string rfc3339(std::int64_t time) {
  std::int64_t seconds = time / 1'000'000'000;
  std::int64_t rest = time % 1'000'000'000;
  if (rest < 0) {
    rest += 1'000'000'000;
    --seconds;
  }
  const std::time_t value = seconds;
  std::tm parts{};
  gmtime_r(&value, &parts);
  char text[64];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + length, sizeof text - length, ".%03dZ", static_cast<int>(rest / 1'000'000));
  return text;
}

double rounded(double value) { return std::round(value * 1000) / 1000; }

Json number_or_null(const std::optional<double>& value) { return value ? Json(rounded(*value)) : Json(); }

Json hex_list(const std::vector<PeerId>& ids) {
  Json list = Json::array();
  for (const PeerId& id : ids) list.push_back(id.hex());
  return list;
}

void add_missing_roots(Json& json, const std::vector<library::Problem>& roots) {
  for (const library::Problem& root : roots) {
    json["missing_roots"].push_back({{"root", root.path}, {"reason", root.reason}});
  }
}

Json download_json(const api::DownloadInfo& download) {
  Json sources = Json::array();
  for (const api::SourceBytes& source : download.sources) {
    sources.push_back({{"peer_id", source.id.hex()}, {"bytes", source.bytes}});
  }
  Json json{{"game", download.game},
            {"version", download.version.hex()},
            {"state", api::to_string(download.state)},
            {"bytes_total", download.bytes_total},
            {"bytes_done", download.bytes_done},
            {"bytes_reused", download.bytes_reused},
            {"bytes_received", download.bytes_received},
            {"rate", std::round(download.rate)},
            {"eta_s", number_or_null(download.eta_s)},
            {"elapsed_s", rounded(download.elapsed_s)},
            {"average_rate", number_or_null(average_rate(download))},
            {"sources", std::move(sources)},
            {"from", hex_list(download.from)},
            {"bottleneck", download.bottleneck ? Json(*download.bottleneck) : Json()},
            {"error", nullptr}};
  // A download that waits for its first peer may not know its version yet.
  if (download.version == Digest{}) json["version"] = nullptr;
  if (download.plan) {
    json["dry_run"] = true;
    json["bytes_to_receive"] = download.plan->receive;
    json["space_needed"] = download.plan->space_needed;
    json["space_available"] = download.plan->space_available;
    json["reserve"] = download.plan->reserve;
    json["rate"] = std::round(download.plan->rate);
  }
  if (download.error) {
    json["error"] = {{"code", protocol::error_word(download.error->code)}, {"message", download.error->message}};
  }
  return json;
}

}  // namespace peer::control
