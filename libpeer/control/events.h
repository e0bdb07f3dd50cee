// EventHub: numbers the peer's events, keeps the last kReplay of them, and passes them to the subscribers.
//
// Loop: control. The text of an event is made once and shared by all readers.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/api/events.h"
#include "libpeer/base/log.h"

namespace peer::control {

using SharedLine = std::shared_ptr<const std::string>;

struct NumberedEvent {
  std::uint64_t sequence = 0;
  std::string name;
  SharedLine line;  ///< the whole notification, with its newline
};

class EventReader {
 public:
  virtual ~EventReader() = default;
  /// May unsubscribe; must not wait. If it throws, the hub unsubscribes the reader.
  virtual void on_event(const NumberedEvent& event) = 0;
};

class EventHub {
 public:
  static constexpr std::size_t kReplay = 1000;

  /// `wall_clock` returns ns since 1970.
  explicit EventHub(std::function<std::int64_t()> wall_clock, Log log = {})
      : wall_clock_(std::move(wall_clock)), log_(std::move(log)) {}

  NumberedEvent publish(const api::Event& event);
  /// Replaces an earlier subscription of the same reader. `only`: the names of the events; empty: all.
  void subscribe(EventReader& reader, std::vector<std::string> only);
  void unsubscribe(EventReader& reader) noexcept;
  /// Passes the kept events after number `since` to a subscribed reader.
  void replay(EventReader& reader, std::uint64_t since) const;
  /// The number of events that replay() would pass.
  std::size_t replayed(const EventReader& reader, std::uint64_t since) const;

  std::uint64_t last() const noexcept { return last_; }
  /// The number of the oldest kept event; last() + 1 if none is kept.
  std::uint64_t oldest() const noexcept { return last_ + 1 - kept_.size(); }
  /// The notification for a reader that fell behind. `sequence`: the last event that it received.
  SharedLine overflow_line(std::uint64_t sequence) const;

  /// Whether an event of that name exists.
  static bool known(std::string_view name);

 private:
  struct Subscriber {
    EventReader* reader;
    std::vector<std::string> only;
    bool includes(const std::string& name) const;
  };
  void pass_to(EventReader& reader, const NumberedEvent& event);
  const Subscriber* find(const EventReader& reader) const;

  std::function<std::int64_t()> wall_clock_;
  Log log_;
  std::uint64_t last_ = 0;
  std::deque<NumberedEvent> kept_;
  std::vector<Subscriber> subscriptions_;
};

}  // namespace peer::control
