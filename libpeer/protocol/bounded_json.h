// JSON from a remote, as a tree of bounded size.
//
// nlohmann's own tree builder has no limit, and with a callback it scans the enclosing array at the end of each object:
// a frame of 240 kB then costs 20 s. Here each value costs the same, whatever stands beside it, and the first value
// over a limit ends the parse.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "libpeer/base/result.h"
#include "libpeer/protocol/limits.h"

namespace peer::protocol {

struct JsonLimits {
  std::size_t bytes = kMaxFrameBytes;
  std::size_t values = kMaxJsonValues;  ///< scalars, arrays and objects, the outermost included
  std::size_t depth = kMaxJsonDepth;    ///< of arrays and objects within each other
};

/// Fails: invalid, with the limit or the rule that the text breaks; no object names a field twice.
/// `work`, where given, is the number of steps taken: one for each value, field name and end of an array or object.
Result<nlohmann::json> parse_bounded(std::string_view text, const JsonLimits& limits = {}, std::size_t* work = nullptr);

}  // namespace peer::protocol
