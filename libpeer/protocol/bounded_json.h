// Parses JSON from a remote into a tree of bounded size.
//
// nlohmann's own tree builder has no limits. With a callback it scans the enclosing array at the end of each object, so
// that a frame of 240 kB takes 20 s. Here every value costs the same, and the first value over a limit ends the parse.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "libpeer/base/result.h"
#include "libpeer/protocol/limits.h"

namespace peer::protocol {

struct JsonLimits {
  std::size_t bytes = kMaxFrameBytes;
  std::size_t values = kMaxJsonValues;  ///< scalars, arrays and objects, including the outermost
  std::size_t depth = kMaxJsonDepth;    ///< nesting of arrays and objects
};

/// Rejects objects with duplicate fields. A non-null `work` gets the number of steps: one for each value, field name
/// and end of an array or object. Fails: invalid.
Result<nlohmann::json> parse_bounded(std::string_view text, const JsonLimits& limits = {}, std::size_t* work = nullptr);

}  // namespace peer::protocol
