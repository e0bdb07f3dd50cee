// JSON objects that several methods and events share. Scripts rely on their fields.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libpeer/api/commands.h"
#include "libpeer/control/rpc.h"

namespace peer::control {

/// RFC 3339 in UTC with milliseconds. `time` is in ns since 1970.
std::string rfc3339(std::int64_t time);

/// Rounds to three decimal places.
double rounded(double value);
/// A rounded number, or null.
Json number_or_null(const std::optional<double>& value);

Json hex_list(const std::vector<PeerId>& ids);

/// Adds the field "missing_roots" if there are any.
void add_missing_roots(Json& json, const std::vector<library::Problem>& roots);

Json download_json(const api::DownloadInfo& download);

}  // namespace peer::control
