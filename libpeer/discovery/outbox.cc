#include "libpeer/discovery/outbox.h"

#include <utility>

namespace peer::discovery {

void Outbox::notify() {
  if (reader_ == nullptr || std::exchange(notified_, true)) return;
  reader_->post([self = shared_from_this()] { self->filled_.set(); });
}

void Outbox::put(const PeerId& id, const std::optional<Found>& found) {
  const std::lock_guard lock(mutex_);
  if (reader_ == nullptr) return;
  if (!found && !reported_.contains(id)) {
    changes_.erase(id);  // the reader was never notified of it
    return;
  }
  changes_[id] = found;
  notify();
}

void Outbox::set_state(const std::optional<std::string>& unavailable) {
  const std::lock_guard lock(mutex_);
  state_ = unavailable;
  notify();
}

void Outbox::end(std::string error) {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  error_ = std::move(error);
  notify();
}

runtime::Task<void> Outbox::wait(runtime::CancellationToken token) {
  {
    const std::lock_guard lock(mutex_);
    if (!notified_) filled_.reset();
  }
  co_await filled_.wait(token);
}

std::vector<Event> Outbox::pop_events() {
  const std::lock_guard lock(mutex_);
  notified_ = false;
  filled_.reset();
  std::vector<Event> events;
  for (auto& [id, found] : std::exchange(changes_, {})) {
    if (found) {
      reported_.insert(id);
      events.emplace_back(std::move(*found));
    } else {
      reported_.erase(id);
      events.emplace_back(Lost{id});
    }
  }
  // Report a state only if it differs from the last one reported. Another reason for the same problem is not reported.
  if (auto state = std::exchange(state_, std::nullopt)) {
    if (!reported_state_ || reported_state_->has_value() != state->has_value()) {
      reported_state_ = *state;
      if (*state)
        events.emplace_back(Unavailable{**state});
      else
        events.insert(events.begin(), Event(Available{}));
    }
  }
  return events;
}

runtime::Task<void> Outbox::wait_end(runtime::CancellationToken token) {
  while (!ended()) {
    co_await wait(token);
    pop_events();
  }
}

bool Outbox::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

std::string Outbox::error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

void Outbox::close() {
  const std::lock_guard lock(mutex_);
  reader_ = nullptr;
  changes_.clear();
}

}  // namespace peer::discovery
