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

bool EventHub::Subscriber::includes(const std::string& name) const {
  return only.empty() || std::ranges::find(only, name) != only.end();
}

const EventHub::Subscriber* EventHub::find(const EventReader& reader) const {
  const auto found = std::ranges::find(subscriptions_, &reader, &Subscriber::reader);
  return found == subscriptions_.end() ? nullptr : &*found;
}

NumberedEvent EventHub::publish(const api::Event& event) {
  NumberedEvent numbered;
  numbered.sequence = ++last_;
  numbered.name = api::event_name(event);
  numbered.line = std::make_shared<const std::string>(event_line(event_json(event, last_, wall_clock_())));
  kept_.push_back(numbered);
  if (kept_.size() > kReplay) kept_.pop_front();
  // Copied, because a reader may unsubscribe from within on_event().
  std::vector<EventReader*> readers;
  for (const Subscriber& subscription : subscriptions_) {
    if (subscription.includes(numbered.name)) readers.push_back(subscription.reader);
  }
  for (EventReader* reader : readers) pass_to(*reader, numbered);
  return numbered;
}

/// A reader that throws loses its subscription; the other readers still receive the event.
void EventHub::pass_to(EventReader& reader, const NumberedEvent& event) {
  try {
    reader.on_event(event);
  } catch (const std::exception& e) {
    unsubscribe(reader);
    log_.error("event subscription ended: the client failed at " + event.name + ": " + e.what());
  }
}

void EventHub::subscribe(EventReader& reader, std::vector<std::string> only) {
  unsubscribe(reader);
  subscriptions_.push_back({&reader, std::move(only)});
}

void EventHub::unsubscribe(EventReader& reader) noexcept {
  std::erase_if(subscriptions_, [&](const Subscriber& s) { return s.reader == &reader; });
}

void EventHub::replay(EventReader& reader, std::uint64_t since) const {
  const Subscriber* subscription = find(reader);
  if (subscription == nullptr) return;
  for (const NumberedEvent& event : kept_) {
    if (event.sequence > since && subscription->includes(event.name)) reader.on_event(event);
  }
}

std::size_t EventHub::replayed(const EventReader& reader, std::uint64_t since) const {
  const Subscriber* subscription = find(reader);
  if (subscription == nullptr) return 0;
  return static_cast<std::size_t>(std::ranges::count_if(
      kept_, [&](const NumberedEvent& event) { return event.sequence > since && subscription->includes(event.name); }));
}

SharedLine EventHub::overflow_line(std::uint64_t sequence) const {
  return std::make_shared<const std::string>(
      event_line({{"seq", sequence}, {"time", rfc3339(wall_clock_())}, {"event", "overflow"}}));
}

}  // namespace peer::control
