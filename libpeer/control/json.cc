#include "libpeer/control/json.h"

#include <unistd.h>

#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>

#include "libpeer/protocol/error_words.h"

namespace peer::control {
namespace {

using Json = nlohmann::ordered_json;

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

/// Enough digits for people and graphs.
double rounded(double value) { return std::round(value * 1000) / 1000; }

Json or_null(const std::optional<double>& value) { return value ? Json(rounded(*value)) : Json(); }

Json hex_list(const std::vector<PeerId>& ids) {
  Json list = Json::array();
  for (const PeerId& id : ids) list.push_back(id.hex());
  return list;
}

Json local_json(const library::LocalGame& game) {
  Json json{{"version", nullptr},  {"size", game.size},
            {"files", game.files}, {"state", library::to_string(game.state)},
            {"modified", nullptr}, {"root", game.root}};
  // Nobody who is connected now tells how many there will be.
  if (game.state == library::GameState::downloading && game.files == 0) json["files"] = nullptr;
  if (game.offered) {
    json["version"] = game.offered->version.hex();
    if (game.offered->document) json["modified"] = rfc3339(game.offered->document->times.modified);
  }
  if (game.state == library::GameState::hashing) json["bytes_hashed"] = game.bytes_hashed;
  if (!game.problems.empty()) {
    Json& problems = json["problems"] = Json::array();
    for (const library::Problem& problem : game.problems) {
      problems.push_back({{"path", problem.path}, {"reason", problem.reason}});
    }
  }
  return json;
}

/// Bytes a second, over all the time that the download was active.
std::optional<double> average_rate(const api::DownloadInfo& download) {
  if (download.elapsed_s <= 0 || download.bytes_timed == 0) return std::nullopt;
  return std::round(static_cast<double>(download.bytes_timed) / download.elapsed_s);
}

Json download_fields(const api::DownloadInfo& download) {
  Json sources = Json::array();
  for (const api::DownloadSource& source : download.sources) {
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
            {"eta_s", or_null(download.eta_s)},
            {"elapsed_s", rounded(download.elapsed_s)},
            {"average_rate", or_null(average_rate(download))},
            {"sources", std::move(sources)},
            {"from", hex_list(download.from)},
            {"bottleneck", or_null(download.bottleneck)},
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

Json to_json(const api::Status& status, const std::string& version) {
  Json services = Json::array();
  for (const api::ServiceStatus& service : status.services) {
    services.push_back(
        {{"name", service.name}, {"policy", service.policy}, {"state", service.state}, {"restarts", service.restarts}});
    if (!service.problem.empty()) services.back()["problem"] = service.problem;
  }
  Json json{{"peer_id", status.peer_id.hex()},
            {"access", access::to_string(status.access)},
            {"name", status.name},
            {"version", version},
            {"instance", status.instance},
            {"pid", getpid()},
            {"uptime_s", rounded(status.uptime_s)},
            {"listen", status.listen},
            {"services", std::move(services)},
            {"tasks", status.tasks},
            {"peers", status.peers},
            {"games", status.games},
            {"downloads", status.downloads}};
  add_missing_roots(json, status.missing_roots);
  return json;
}

void add_missing_roots(Json& json, const std::vector<library::Problem>& roots) {
  for (const library::Problem& root : roots) {
    json["missing_roots"].push_back({{"root", root.path}, {"reason", root.reason}});
  }
}

Json to_json(const api::GameInfo& game) {
  Json local = game.local ? local_json(*game.local) : Json();
  if (game.local && game.verifying) {
    const api::VerifyProgress& progress = *game.verifying;
    local["bytes_verified"] = progress.bytes_done;
    local["verify_percent"] = progress.bytes_total > 0 ? progress.bytes_done * 100 / progress.bytes_total : 0;
  }
  Json remote = Json::array();
  for (const api::RemoteVersion& version : game.remote) {
    remote.push_back({{"version", version.version.hex()},
                      {"size", version.size},
                      {"files", version.files},
                      {"modified", rfc3339(version.modified)},
                      {"peers", hex_list(version.peers)}});
  }
  return {{"id", game.id}, {"local", std::move(local)}, {"remote", std::move(remote)}};
}

Json to_json(const api::GameDetails& details) {
  Json json = to_json(details.game);
  json["version"] = details.version == Digest{} ? Json() : Json(details.version.hex());
  json["files_total"] = details.files_total;
  Json& files = json["files"] = Json::array();
  for (const api::GameFile& file : details.files) {
    files.push_back({{"path", file.path}, {"size", file.size}, {"executable", file.executable}});
  }
  return json;
}

Json to_json(const api::Disconnected& end) {
  return {{"ok", true},
          {"connected", end.connected},
          {"dropped", end.dropped},
          {"note", end.note.empty() ? Json() : Json(end.note)}};
}

Json to_json(const api::Pairing& pairing) {
  return {{"peer_id", pairing.id.hex()},
          {"name", pairing.name},
          {"note", pairing.note.empty() ? Json() : Json(pairing.note)}};
}

Json to_json(const api::PeerInfo& peer) {
  return {{"peer_id", peer.id ? Json(peer.id->hex()) : Json()},
          {"name", peer.name},
          {"addresses", peer.addresses},
          {"state", api::to_string(peer.state)},
          {"reason", peer.reason.empty() ? Json() : Json(peer.reason)},
          {"paired", peer.paired},
          {"found_by", peer.found_by},
          {"games", peer.games},
          {"rtt_ms", or_null(peer.rtt_ms)},
          {"last_seen_s", or_null(peer.last_seen_s)}};
}

Json to_json(const api::Finding& finding) {
  return {{"subject", finding.subject},
          {"verdict", api::to_string(finding.verdict)},
          {"text", finding.text},
          {"fix", finding.fix}};
}

Json to_json(const api::DownloadInfo& download) { return download_fields(download); }

Json to_json(const api::Event& event, std::uint64_t sequence, std::int64_t time) {
  Json json{{"seq", sequence}, {"time", rfc3339(time)}, {"event", api::event_name(event)}};
  std::visit(Overloaded{
                 [&](const api::RuntimeFailed& e) {
                   json["component"] = e.component;
                   json["error"] = e.error;
                 },
                 [&](const api::ServiceRestarted& e) {
                   json["component"] = e.component;
                   json["error"] = e.error;
                   json["restarts"] = e.restarts;
                 },
                 [&](const api::PeerEvent& e) {
                   json["peer_id"] = e.id.hex();
                   json["name"] = e.name;
                   if (e.kind == api::PeerEvent::Kind::banned) json["reason"] = e.reason;
                 },
                 [&](const api::LocalLibraryChanged& e) {
                   json["added"] = e.added;
                   json["removed"] = e.removed;
                 },
                 [&](const api::DownloadEvent& e) { json.update(download_fields(e.download)); },
                 [&](const api::VerifyEvent& e) {
                   json["game"] = e.game;
                   json["version"] = e.version.hex();
                   json["bytes_total"] = e.progress.bytes_total;
                   json["bytes_done"] = e.progress.bytes_done;
                   json["damaged_files"] = e.progress.damaged;
                   json["repairing"] = e.progress.repairing;
                 },
                 [](const auto&) {},
             },
             event);
  return json;
}

}  // namespace peer::control
