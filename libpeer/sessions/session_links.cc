#include "libpeer/sessions/session_links.h"

namespace peer::sessions {

void SessionLinks::add(SessionId id, Sender out) {
  links_.emplace(id, std::move(out));
  empty_.reset();
}

void SessionLinks::remove(SessionId id) {
  links_.erase(id);
  if (links_.empty()) empty_.set();
}

void SessionLinks::send(SessionId id, protocol::SessionMessage message) {
  const auto link = links_.find(id);
  if (link == links_.end() || link->second.try_send(std::move(message))) return;
  link->second.close();
  on_stalled_(id);
}

void SessionLinks::send_urgent(SessionId id, protocol::SessionMessage message) {
  const auto link = links_.find(id);
  if (link != links_.end()) link->second.send_urgent(std::move(message));
}

void SessionLinks::close(SessionId id) {
  const auto link = links_.find(id);
  if (link != links_.end()) link->second.close();
}

runtime::Task<void> SessionLinks::wait_empty(runtime::CancellationToken token) {
  if (!links_.empty()) co_await empty_.wait(std::move(token));
}

}  // namespace peer::sessions
