// EventHub: numbers the peer's events, keeps the last kReplay of them and hands them to who has subscribed.
//
// Loop: control. A line is made once and shared by all readers.
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
  /// May unsubscribe; must not wait. One that throws is told no more.
  virtual void on_event(const NumberedEvent& event) = 0;
};

class EventHub {
 public:
  static constexpr std::size_t kReplay = 1000;

  /// `wall_clock`: ns since 1970.
  explicit EventHub(std::function<std::int64_t()> wall_clock, Log log = {})
      : wall_clock_(std::move(wall_clock)), log_(std::move(log)) {}

  NumberedEvent publish(const api::Event& event);
  /// Replaces an earlier subscription of the same reader. `only` empty: all events.
  void subscribe(EventReader& reader, std::vector<std::string> only);
  void unsubscribe(EventReader& reader) noexcept;
  /// Gives the kept events after `since` to a subscribed reader.
  void replay(EventReader& reader, std::uint64_t since) const;
  /// How many that would be.
  std::size_t replayed(const EventReader& reader, std::uint64_t since) const;

  std::uint64_t last() const noexcept { return last_; }
  /// The oldest number still kept; last() + 1 if there is none.
  std::uint64_t oldest() const noexcept { return last_ + 1 - kept_.size(); }
  /// Tells a reader that it fell behind; `sequence` is the last event it was given.
  SharedLine overflow_line(std::uint64_t sequence) const;

  /// Whether there is an event of that name.
  static bool known(std::string_view name);

 private:
  struct Subscription {
    EventReader* reader;
    std::vector<std::string> only;
    bool wants(const std::string& name) const;
  };
  void tell(EventReader& reader, const NumberedEvent& event);
  const Subscription* find(const EventReader& reader) const;

  std::function<std::int64_t()> wall_clock_;
  Log log_;
  std::uint64_t last_ = 0;
  std::deque<NumberedEvent> kept_;
  std::vector<Subscription> subscriptions_;
};

}  // namespace peer::control
