#include "libpeer/control/events.h"

#include <algorithm>

#include "libpeer/control/client_events.h"
#include "libpeer/control/event_json.h"
#include "libpeer/control/json.h"
#include "libpeer/control/rpc.h"

namespace peer::control {
namespace {

std::string event_line(Json params) {
  return to_line(Json{{"jsonrpc", "2.0"}, {"method", "event"}, {"params", std::move(params)}});
}

}  // namespace

bool EventHub::known(std::string_view name) { return std::ranges::find(kEventNames, name) != kEventNames.end(); }

bool EventHub::Subscription::wants(const std::string& name) const {
  return only.empty() || std::ranges::find(only, name) != only.end();
}

const EventHub::Subscription* EventHub::find(const EventReader& reader) const {
  const auto found = std::ranges::find(subscriptions_, &reader, &Subscription::reader);
  return found == subscriptions_.end() ? nullptr : &*found;
}

NumberedEvent EventHub::publish(const api::Event& event) {
  NumberedEvent numbered;
  numbered.sequence = ++last_;
  numbered.name = api::event_name(event);
  numbered.line = std::make_shared<const std::string>(event_line(event_json(event, last_, wall_clock_())));
  kept_.push_back(numbered);
  if (kept_.size() > kReplay) kept_.pop_front();
  // A reader may unsubscribe itself while it is told.
  std::vector<EventReader*> readers;
  for (const Subscription& subscription : subscriptions_) {
    if (subscription.wants(numbered.name)) readers.push_back(subscription.reader);
  }
  for (EventReader* reader : readers) tell(*reader, numbered);
  return numbered;
}

/// One reader's failure is no other's.
void EventHub::tell(EventReader& reader, const NumberedEvent& event) {
  try {
    reader.on_event(event);
  } catch (const std::exception& e) {
    unsubscribe(reader);
    log_.error("a client is told of no more events, it failed over " + event.name + ": " + e.what());
  }
}

void EventHub::subscribe(EventReader& reader, std::vector<std::string> only) {
  unsubscribe(reader);
  subscriptions_.push_back({&reader, std::move(only)});
}

void EventHub::unsubscribe(EventReader& reader) noexcept {
  std::erase_if(subscriptions_, [&](const Subscription& s) { return s.reader == &reader; });
}

void EventHub::replay(EventReader& reader, std::uint64_t since) const {
  const Subscription* subscription = find(reader);
  if (subscription == nullptr) return;
  for (const NumberedEvent& event : kept_) {
    if (event.sequence > since && subscription->wants(event.name)) reader.on_event(event);
  }
}

std::size_t EventHub::replayed(const EventReader& reader, std::uint64_t since) const {
  const Subscription* subscription = find(reader);
  if (subscription == nullptr) return 0;
  return static_cast<std::size_t>(std::ranges::count_if(
      kept_, [&](const NumberedEvent& event) { return event.sequence > since && subscription->wants(event.name); }));
}

SharedLine EventHub::overflow_line(std::uint64_t sequence) const {
  return std::make_shared<const std::string>(
      event_line({{"seq", sequence}, {"time", rfc3339(wall_clock_())}, {"event", "overflow"}}));
}

}  // namespace peer::control
