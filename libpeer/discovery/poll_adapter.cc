#include "libpeer/discovery/poll_adapter.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "libpeer/base/check.h"

namespace {

int to_uv(int events) {
  int result = 0;
  if ((events & AVAHI_WATCH_IN) != 0) result |= UV_READABLE;
  if ((events & AVAHI_WATCH_OUT) != 0) result |= UV_WRITABLE;
  if ((events & (AVAHI_WATCH_HUP | AVAHI_WATCH_ERR)) != 0) result |= UV_DISCONNECT;
  return result;
}

int from_uv(int status, int events) {
  if (status < 0) return AVAHI_WATCH_ERR | AVAHI_WATCH_HUP;
  int result = 0;
  if ((events & UV_READABLE) != 0) result |= AVAHI_WATCH_IN;
  if ((events & UV_WRITABLE) != 0) result |= AVAHI_WATCH_OUT;
  if ((events & UV_DISCONNECT) != 0) result |= AVAHI_WATCH_HUP;
  return result;
}

}  // namespace

struct peer::discovery::PollAdapter::WatchedDescriptor {
  PollAdapter* adapter;
  int fd;
  uv_poll_t poll{};
  std::vector<std::unique_ptr<AvahiWatch>> watches;
  bool dispatching = false;
  bool broken = false;  // libuv no longer polls it
};

struct AvahiWatch {
  using WatchedDescriptor = peer::discovery::PollAdapter::WatchedDescriptor;
  WatchedDescriptor* descriptor;
  int wanted;
  AvahiWatchCallback callback;
  void* userdata;
  int happened = 0;
  bool dead = false;
};

struct AvahiTimeout {
  peer::discovery::PollAdapter* adapter;
  AvahiTimeoutCallback callback;
  void* userdata;
  uv_timer_t timer{};
};

namespace peer::discovery {

PollAdapter::PollAdapter(uv_loop_t* loop) : loop_(loop) {
  api_.userdata = this;
  api_.watch_new = watch_new;
  api_.watch_update = watch_update;
  api_.watch_get_events = watch_get_events;
  api_.watch_free = watch_free;
  api_.timeout_new = timeout_new;
  api_.timeout_update = timeout_update;
  api_.timeout_free = timeout_free;
  empty_.set();
}

PollAdapter::~PollAdapter() { PEER_CHECK(handles_ == 0); }

runtime::Task<void> PollAdapter::closed() { co_await empty_.wait(runtime::CancellationToken()); }

void PollAdapter::interrupt() noexcept {
  const std::lock_guard lock(mutex_);
  for (const auto& [fd, guard] : guards_) ::shutdown(guard, SHUT_RDWR);
}

void PollAdapter::handle_closed() noexcept {
  if (--handles_ == 0) empty_.set();
}

AvahiWatch* PollAdapter::watch_new(const AvahiPoll* api, int fd, AvahiWatchEvent events, AvahiWatchCallback callback,
                                   void* userdata) {
  PollAdapter& self = *static_cast<PollAdapter*>(api->userdata);
  std::unique_ptr<WatchedDescriptor>& slot = self.descriptors_[fd];
  if (!slot) {
    slot = std::make_unique<WatchedDescriptor>(&self, fd);
    slot->poll.data = slot.get();
    if (uv_poll_init(self.loop_, &slot->poll, fd) != 0) {
      self.descriptors_.erase(fd);
      return nullptr;
    }
    ++self.handles_;
    self.empty_.reset();
    const std::lock_guard lock(self.mutex_);
    const int guard = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (guard >= 0) self.guards_[fd] = guard;
  }
  slot->watches.push_back(std::make_unique<AvahiWatch>(slot.get(), static_cast<int>(events), callback, userdata));
  AvahiWatch* const watch = slot->watches.back().get();
  self.poll_for_all(*slot);
  return watch;
}

/// Polls for the events that any watch of the descriptor waits for.
void PollAdapter::poll_for_all(WatchedDescriptor& descriptor) noexcept {
  int wanted = 0;
  for (const auto& watch : descriptor.watches) {
    if (!watch->dead && !descriptor.broken) wanted |= watch->wanted;
  }
  if (const int events = to_uv(wanted); events != 0) {
    static_cast<void>(uv_poll_start(&descriptor.poll, events, on_poll));
  } else {
    static_cast<void>(uv_poll_stop(&descriptor.poll));
  }
}

void PollAdapter::on_poll(uv_poll_t* poll, int status, int events) noexcept {
  WatchedDescriptor& descriptor = *static_cast<WatchedDescriptor*>(poll->data);
  const int happened = from_uv(status, events);
  descriptor.dispatching = true;
  descriptor.broken = descriptor.broken || status < 0;
  // Iterates by index, because a callback may free any watch and add others. Added watches are called next time.
  for (std::size_t i = 0, count = descriptor.watches.size(); i < count; ++i) {
    AvahiWatch& watch = *descriptor.watches[i];
    const int concerns = happened & (watch.wanted | AVAHI_WATCH_ERR | AVAHI_WATCH_HUP);
    if (watch.dead || concerns == 0) continue;
    watch.happened = concerns;
    watch.callback(&watch, descriptor.fd, static_cast<AvahiWatchEvent>(concerns), watch.userdata);
    watch.happened = 0;
  }
  descriptor.dispatching = false;
  descriptor.adapter->sweep(descriptor);
}

/// Deletes freed watches. Closes the descriptor's handle with the last of them.
void PollAdapter::sweep(WatchedDescriptor& descriptor) noexcept {
  if (descriptor.dispatching) return;
  std::erase_if(descriptor.watches, [](const auto& watch) { return watch->dead; });
  if (!descriptor.watches.empty()) return poll_for_all(descriptor);
  const auto found = descriptors_.find(descriptor.fd);
  PEER_CHECK(found != descriptors_.end() && found->second.get() == &descriptor);
  WatchedDescriptor* const closing = found->second.release();
  descriptors_.erase(found);  // the number may be used again before libuv has closed this handle
  {
    const std::lock_guard lock(mutex_);
    if (const auto guard = guards_.find(closing->fd); guard != guards_.end()) {
      ::close(guard->second);
      guards_.erase(guard);
    }
  }
  uv_close(reinterpret_cast<uv_handle_t*>(&closing->poll), [](uv_handle_t* handle) {
    const std::unique_ptr<WatchedDescriptor> closed(static_cast<WatchedDescriptor*>(handle->data));
    closed->adapter->handle_closed();
  });
}

void PollAdapter::watch_update(AvahiWatch* watch, AvahiWatchEvent events) {
  PEER_CHECK(!watch->dead);
  watch->wanted = static_cast<int>(events);
  watch->descriptor->adapter->poll_for_all(*watch->descriptor);
}

AvahiWatchEvent PollAdapter::watch_get_events(AvahiWatch* watch) {
  return static_cast<AvahiWatchEvent>(watch->happened);
}

void PollAdapter::watch_free(AvahiWatch* watch) {
  PEER_CHECK(!watch->dead);
  watch->dead = true;
  watch->descriptor->adapter->sweep(*watch->descriptor);
}

AvahiTimeout* PollAdapter::timeout_new(const AvahiPoll* api, const timeval* at, AvahiTimeoutCallback callback,
                                       void* userdata) {
  PollAdapter& self = *static_cast<PollAdapter*>(api->userdata);
  auto* const timeout = new AvahiTimeout{&self, callback, userdata};
  timeout->timer.data = timeout;
  PEER_CHECK(uv_timer_init(self.loop_, &timeout->timer) == 0);
  ++self.handles_;
  self.empty_.reset();
  timeout_update(timeout, at);
  return timeout;
}

void PollAdapter::timeout_update(AvahiTimeout* timeout, const timeval* at) {
  if (at == nullptr) {
    uv_timer_stop(&timeout->timer);
    return;
  }
  timeval now{};
  gettimeofday(&now, nullptr);
  constexpr std::int64_t kLongest = 24LL * 3600 * 1000;
  const std::int64_t seconds = std::int64_t{at->tv_sec} - now.tv_sec;
  const std::int64_t ms =
      std::clamp(seconds, -kLongest, kLongest) * 1000 + (std::int64_t{at->tv_usec} - now.tv_usec + 999) / 1000;
  uv_update_time(timeout->adapter->loop_);  // otherwise the timer would count from the start of this turn
  const auto fire = [](uv_timer_t* timer) noexcept {
    auto* const fired = static_cast<AvahiTimeout*>(timer->data);
    fired->callback(fired, fired->userdata);
  };
  uv_timer_start(&timeout->timer, fire, static_cast<std::uint64_t>(std::clamp<std::int64_t>(ms, 0, kLongest)), 0);
}

void PollAdapter::timeout_free(AvahiTimeout* timeout) {
  uv_timer_stop(&timeout->timer);
  uv_close(reinterpret_cast<uv_handle_t*>(&timeout->timer), [](uv_handle_t* handle) {
    const std::unique_ptr<AvahiTimeout> closed(static_cast<AvahiTimeout*>(handle->data));
    closed->adapter->handle_closed();
  });
}

}  // namespace peer::discovery
