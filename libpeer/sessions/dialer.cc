#include "libpeer/sessions/dialer.h"

#include <utility>

#include "libpeer/runtime/call_on.h"

namespace peer::sessions {

Dialer::Dialer(runtime::Scope& net, SessionContext context, const AccessLists& access, DialerOptions options)
    : net_(net), context_(std::move(context)), access_(access), options_(std::move(options)) {}

std::optional<Error> Dialer::reason_to_refuse(const std::optional<PeerId>& expected) const {
  if (!expected) return std::nullopt;
  const std::string id = expected->brief();
  if (!access_.admits(*expected))
    return Error{ErrorCode::refused, "it is not paired here: 'peerctl pair " + id + "' admits it", 0};
  if (access_.is_banned(*expected)) return Error{ErrorCode::refused, id + " is banned here", 0};
  return std::nullopt;
}

std::shared_ptr<Dial> Dialer::dial(const net::SocketAddress& address, std::optional<PeerId> expected,
                                   const std::string& found_by, runtime::SemaphoreUnits contact) {
  auto dial = std::make_shared<Dial>();
  dial->number = next_number_++;
  dial->found_by = found_by;
  dial->contact = std::move(contact);
  dial->verdict = reason_to_refuse(expected);
  if (scope_ == nullptr || leaving_ || dial->verdict) {
    dial->contact.release();
    dial->settled.set();
    dial->over.set();
    return dial;
  }
  dials_.emplace(dial->number, dial);
  scope_->spawn("session to " + address.to_string(), hold_session(address, expected, dial, scope_->token()));
  return dial;
}

/// Runs the session to its end. A failure ends this session only.
runtime::Task<void> Dialer::hold_session(net::SocketAddress address, std::optional<PeerId> expected,
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
    options_.log.error(address.to_string() + ": " + reason.message);
  }
  if (end.denied && !leaving_) options_.on_denied({*end.denied, address, dial->found_by, dial->number, reason});
  dial->reason = std::move(reason);
  dials_.erase(dial->number);
  dial->contact.release();
  dial->settled.set();
  dial->over.set();
}

Dial* Dialer::find(std::uint64_t number) const {
  const auto found = dials_.find(number);
  return found == dials_.end() ? nullptr : found->second.get();
}

void Dialer::on_opened(std::uint64_t number) {
  if (Dial* dial = find(number)) dial->contact.release();
}

void Dialer::on_answered(std::uint64_t number, runtime::TimePoint now) {
  Dial* const dial = find(number);
  if (dial == nullptr) return;
  if (!std::exchange(dial->answered, true)) dial->answered_at = now;
  dial->settled.set();
}

void Dialer::on_refused(std::uint64_t number, const Error& reason) {
  Dial* const dial = find(number);
  if (dial != nullptr && !dial->verdict) dial->verdict = reason;
}

}  // namespace peer::sessions
