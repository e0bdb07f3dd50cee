// Outbox: from the Avahi thread to the control loop: what is to be told, each peer's latest state only.
//
// Its size is bounded by the table of records, however far behind the reader is. close() lets the thread be abandoned:
// from then on it reaches nobody. Loop: put(), set_state() and end() any thread; the rest the reader's.
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

  /// Nothing: the peer is lost.
  void put(const PeerId& id, const std::optional<Found>& found);
  /// Nothing: it works.
  void set_state(const std::optional<std::string>& unavailable);
  /// The thread is at its end; `error` is a bug's.
  void end(std::string error);

  /// Waits until there is something to take, or the thread has ended.
  runtime::Task<void> wait(runtime::CancellationToken token);
  std::vector<Event> take();
  runtime::Task<void> wait_end(runtime::CancellationToken token);
  bool ended() const;
  std::string error() const;
  void close();

 private:
  void notify();  // under the mutex

  mutable std::mutex mutex_;
  runtime::Executor* reader_;  // null: closed
  bool notified_ = false;
  std::map<PeerId, std::optional<Found>> changes_;
  std::set<PeerId> told_;  // as found
  std::optional<std::optional<std::string>> state_;
  std::optional<std::optional<std::string>> told_state_;
  bool ended_ = false;
  std::string error_;
  runtime::Event filled_;  // reader's loop
};

}  // namespace peer::discovery
