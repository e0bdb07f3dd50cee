// Reads what the daemon answers: entries of downloads.list, versions, missing library roots.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "ctl/text/format.h"

namespace peer::ctl {

using Json = nlohmann::ordered_json;

/// Whether a download in this state has ended.
bool is_over(std::string_view state);

/// What a progress line shows of an entry of downloads.list.
Progress progress_of(const Json& entry);

/// How much of a download is done, as "42 %"; "-" while its size is unknown.
std::string done_share(const Json& entry);

/// The first 12 digits of a version, or `unknown` if the JSON value is null.
std::string short_version(const Json& version, std::string_view unknown = "-");

/// One line for each library root that the answer lists as missing.
std::string missing_roots(const Json& answer);

}  // namespace peer::ctl
