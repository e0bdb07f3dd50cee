// Events as JSON, and the schemas of that JSON.
#pragma once

#include <cstdint>

#include "libpeer/api/events.h"
#include "libpeer/control/rpc.h"

namespace peer::control {

/// The params object of an event's notification. `time` is in ns since 1970.
Json event_json(const api::Event& event, std::uint64_t sequence, std::int64_t time);

/// The name, summary and schema of every event. `schemas`: the methods' schemas, which those of the events refer to.
Json event_documents(const Json& schemas);

}  // namespace peer::control
