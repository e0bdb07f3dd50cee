// The peer's values and events as JSON, field by field as scripts rely on them.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "libpeer/api/commands.h"
#include "libpeer/api/events.h"

namespace peer::control {

/// RFC 3339 in UTC with milliseconds; `time` is in ns since 1970.
std::string rfc3339(std::int64_t time);

/// `version` is the program's.
nlohmann::ordered_json to_json(const api::Status& status, const std::string& version);
/// Library roots that are not there or cannot be read, where there are any.
void add_missing_roots(nlohmann::ordered_json& json, const std::vector<library::Problem>& roots);
nlohmann::ordered_json to_json(const api::GameInfo& game);
nlohmann::ordered_json to_json(const api::GameDetails& details);
nlohmann::ordered_json to_json(const api::PeerInfo& peer);
nlohmann::ordered_json to_json(const api::Pairing& pairing);
nlohmann::ordered_json to_json(const api::Disconnected& end);
nlohmann::ordered_json to_json(const api::DownloadInfo& download);
nlohmann::ordered_json to_json(const api::Finding& finding);
/// The params object of an event.
nlohmann::ordered_json to_json(const api::Event& event, std::uint64_t sequence, std::int64_t time);

}  // namespace peer::control
