// Outbox: passes what the Avahi thread found to the control loop, keeping only the latest state of each peer.
//
// Loop: put(), set_state() and end(), any thread; the rest, the reader's. Limits: the size of the record table, even if
// the reader is slow.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libpeer/discovery/discovery.h"
#include "libpeer/runtime/event.h"
#include "libpeer/runtime/executor.h"

namespace peer::discovery {

class Outbox : public std::enable_shared_from_this<Outbox> {
 public:
  explicit Outbox(runtime::Executor& reader) : reader_(&reader) {}

  /// The new state of a peer; nothing if it is lost.
  void put(const PeerId& id, const std::optional<Found>& found);
  /// Why discovery does not work; nothing if it works.
  void set_state(const std::optional<std::string>& unavailable);
  /// Reports that the thread ends. `error` is empty unless it ends because of a bug.
  void end(std::string error);

  /// Waits until there are events, or the thread has ended.
  runtime::Task<void> wait(runtime::CancellationToken token);
  /// Returns what has changed since the last call.
  std::vector<Event> pop_events();
  /// Waits until the thread has ended, and discards events.
  runtime::Task<void> wait_end(runtime::CancellationToken token);
  bool ended() const;
  std::string error() const;
  /// Discards everything from now on, so that the thread can be abandoned.
  void close();

 private:
  void notify();  // call with the mutex held

  mutable std::mutex mutex_;
  runtime::Executor* reader_;  // null once closed
  bool notified_ = false;
  std::map<PeerId, std::optional<Found>> changes_;
  std::set<PeerId> reported_;  // the peers that the reader knows as found
  std::optional<std::optional<std::string>> state_;
  std::optional<std::optional<std::string>> reported_state_;
  bool ended_ = false;
  std::string error_;
  runtime::Event filled_;  // on the reader's loop
};

}  // namespace peer::discovery
