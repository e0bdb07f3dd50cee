// The options of a stored download: "version=PREFIX auto=1 from=PEER wait=SECONDS reused=BYTES". Pure.
//
// A word is absent if it does not apply; unknown and unreadable words are ignored. `wait` is the time that was left
// when the row was written, not a deadline. 0.1.0 wrote no `reused`.
#pragma once

#include <string>
#include <string_view>

#include "libpeer/downloads/entry.h"

namespace peer::downloads {

std::string format_options(const DownloadEntry& entry, runtime::TimePoint now);
void parse_options(std::string_view text, DownloadEntry& entry, runtime::TimePoint now);

}  // namespace peer::downloads
