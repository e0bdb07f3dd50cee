#include "libpeer/control/event_subscription.h"

#include <utility>

namespace peer::control {

void EventSubscription::begin(std::optional<std::uint64_t> since, std::vector<std::string> only) {
  hub_.subscribe(*this, std::move(only));
  active_ = true;
  limit_ = kMaxUnsentEvents + pipe_.unsent_events();
  replay_since_ = since;
}

void EventSubscription::end() {
  hub_.unsubscribe(*this);
  active_ = false;
}

void EventSubscription::replay() {
  const auto since = std::exchange(replay_since_, std::nullopt);
  if (!since) return;
  limit_ += hub_.replayed(*this, *since);
  hub_.replay(*this, *since);
}

void EventSubscription::on_event(const NumberedEvent& event) {
  if (pipe_.unsent_events() < limit_) return pipe_.write(event.line, event.sequence);
  end();
  const std::uint64_t dropped = pipe_.drop_unsent_events().value_or(event.sequence);
  pipe_.write(hub_.overflow_line(dropped - 1), 0);
}

}  // namespace peer::control
