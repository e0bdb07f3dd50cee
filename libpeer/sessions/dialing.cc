// Dials, and the sessions that come of them. They belong to the inbox's run, not to Discovery's: when that fails and
// starts again, nobody is lost.
#include <utility>

#include "libpeer/runtime/call_on.h"
#include "libpeer/sessions/peers.h"

namespace peer::sessions {

namespace {
/// Strangers that are being dialled at a time: whoever forges a thousand records gets no thousand handshakes.
constexpr std::size_t kMaxContacts = 16;
}  // namespace

Peers::Dial* Peers::dial_of(const Session& session) {
  const auto found = dials_.find(session.dial);  // none has the number 0
  return found == dials_.end() ? nullptr : found->second.get();
}

bool Peers::is_connected(const PeerId& id) const {
  const PeerEntry* entry = table_.find(id);
  return entry != nullptr && entry->state == api::PeerState::connected;
}

/// `counted`: wait_contact() was asked before.
std::shared_ptr<Peers::Dial> Peers::begin_dial(const net::SocketAddress& address, std::optional<PeerId> expected,
                                               const std::string& found_by, bool counted) {
  auto dial = std::make_shared<Dial>();
  dial->number = next_dial_++;
  dial->found_by = found_by;
  dial->counted = counted;
  const bool banned = expected && banned_.contains(*expected);
  if (banned) dial->verdict = Error{ErrorCode::refused, expected->brief() + " is banned here", 0};
  const bool unpaired = expected && !admits(*expected);
  if (unpaired) {
    const std::string id = expected->brief();
    dial->verdict = Error{ErrorCode::refused, "it is not paired here: 'peerctl pair " + id + "' lets it in", 0};
  }
  if (dialled_ == nullptr || leaving_ || banned || unpaired) {
    contact_made(*dial);
    dial->settled.set();
    dial->over.set();
    return dial;
  }
  dials_.emplace(dial->number, dial);
  dialled_->spawn("session to " + address.to_string(), hold_session(address, expected, dial, dialled_->token()));
  return dial;
}

/// What goes wrong in one session is that session's end.
runtime::Task<void> Peers::hold_session(net::SocketAddress address, std::optional<PeerId> expected,
                                        std::shared_ptr<Dial> dial, runtime::CancellationToken token) {
  auto start = [context = context_, transport = options_.transport, address, expected,
                number = dial->number](runtime::CancellationToken t) {
    return dial_session(context, transport, address, expected, number, std::move(t));
  };
  DialEnd end{Error{ErrorCode::internal, "the session failed", 0}};
  Error& reason = end.reason;
  try {
    end = co_await runtime::call_on(net_, "session to " + address.to_string(), std::move(start), token);
  } catch (const runtime::Cancelled&) {
    if (token.requested()) reason = Error{ErrorCode::unreachable, "the daemon is stopping", 0};
  } catch (const std::exception& e) {
    reason.message = std::string("the session failed: ") + e.what();
    log_.error(address.to_string() + ": " + reason.message);
  }
  if (end.denied && !leaving_) on_denied(*end.denied, address, dial.get(), reason);
  dial->reason = std::move(reason);
  dials_.erase(dial->number);
  contact_made(*dial);
  dial->settled.set();
  dial->over.set();
}

void Peers::contact_made(Dial& dial) {
  if (!std::exchange(dial.counted, false)) return;
  --contacts_;
  contact_free_.set();
}

runtime::Task<void> Peers::wait_contact(runtime::CancellationToken token) {
  while (contacts_ >= kMaxContacts) {
    contact_free_.reset();
    co_await contact_free_.wait(token);
  }
  ++contacts_;
}

}  // namespace peer::sessions
