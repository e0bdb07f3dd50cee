// The options of a stored download: "version=PREFIX auto=1 from=PEER wait=SECONDS reused=BYTES". Pure.
//
// A word is absent if it does not apply; unknown and malformed words are ignored. `wait` is the remaining time when the
// row was written, not a deadline. Version 0.1.0 did not write `reused`.
#pragma once

#include <string>
#include <string_view>

#include "libpeer/downloads/entry.h"

namespace peer::downloads {

std::string format_options(const DownloadEntry& entry, runtime::TimePoint now);
void parse_options(std::string_view text, DownloadEntry& entry, runtime::TimePoint now);

}  // namespace peer::downloads
