// EventEmitter: passes a node's events to its listener, and counts them for the metrics. Loop: control.
#pragma once

#include "libpeer/api/events.h"
#include "libpeer/base/log.h"
#include "libpeer/node/counters.h"

namespace peer::node {

class EventEmitter {
 public:
  /// An empty listener receives nothing.
  EventEmitter(api::EventSink listener, Log log) : listener_(std::move(listener)), log_(std::move(log)) {}

  /// Logs what the listener throws, so that a failing listener stops neither the node nor its shutdown.
  void emit(const api::Event& event);
  Counters& counters() noexcept { return counters_; }

 private:
  api::EventSink listener_;
  Log log_;
  Counters counters_;
};

}  // namespace peer::node
