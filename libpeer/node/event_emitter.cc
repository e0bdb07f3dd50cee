#include "libpeer/node/event_emitter.h"

#include "libpeer/base/fault.h"

namespace peer::node {

void EventEmitter::emit(const api::Event& event) {
  counters_.count(event);
  if (!listener_) return;
  try {
    PEER_FAULT_POINT("event");
    listener_(event);
  } catch (const std::exception& e) {
    log_.error("the event listener failed on " + std::string(event_name(event)) + ": " + e.what());
  }
}

}  // namespace peer::node
