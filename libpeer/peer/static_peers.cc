// The service Discovery, as far as it concerns peers that were named: dialled for ever, with back-off.
#include <algorithm>
#include <utility>

#include "peer/peers.h"
#include "runtime/call_on.h"
#include "runtime/sleep.h"

namespace peer::node {

using namespace std::chrono_literals;

namespace {
constexpr rt::Duration kFirstDelay = 1s;
constexpr rt::Duration kLongestDelay = 30s;
constexpr rt::Duration kConnectAnswer = 10s;

struct HostPort {
  std::string host;
  std::uint16_t port;
};
/// "host", "host:port", "[v6]:port", "v6".
Result<HostPort> split(const std::string& text) {
  const auto literal = net::SocketAddress::parse(text);
  if (literal) return HostPort{literal->host_string(), literal->port()};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return HostPort{text, net::kDefaultPort};
  unsigned port = 0;
  for (const char c : text.substr(colon + 1)) {
    if (c < '0' || c > '9' || port > 65535)
      return fail(ErrorCode::invalid, text + ": the port must be a number from 1 to 65535");
    port = port * 10 + static_cast<unsigned>(c - '0');
  }
  if (colon == 0 || port == 0 || port > 65535) return fail(ErrorCode::invalid, text + " is no HOST[:PORT]");
  return HostPort{text.substr(0, colon), static_cast<std::uint16_t>(port)};
}
}  // namespace

void Peers::add_static(const std::string& address) {
  if (std::ranges::any_of(statics_, [&](const auto& each) { return each->address == address; })) return;
  statics_.push_back(std::make_unique<Static>());
  statics_.back()->address = address;
  statics_changed_.set();
}

rt::Task<void> Peers::run_static(rt::CancellationToken token) {
  rt::Scope scope(control_, "Discovery", token);
  std::exception_ptr failure;
  try {
    for (;;) {
      statics_changed_.reset();
      for (const auto& target : statics_) {
        if (!std::exchange(target->started, true))
          scope.spawn("dial " + target->address, keep_static(*target, scope.token()));
      }
      co_await statics_changed_.wait(scope.token());
    }
  } catch (...) {
    failure = std::current_exception();
  }
  for (const auto& target : statics_) target->started = false;  // for the next run
  scope.request_stop();
  co_await scope.join();  // a failed child is the reason of the cancellation above, and is what is told
  if (failure) std::rethrow_exception(failure);
}

Peers::Static* Peers::dialled_by(const Session& session) {
  if (session.dial == 0) return nullptr;
  const auto found = std::ranges::find_if(statics_, [&](const auto& each) { return each->dial == session.dial; });
  return found == statics_.end() ? nullptr : found->get();
}

bool Peers::connected(const Static& target) const {
  const PeerEntry* entry = target.id ? table_.find(*target.id) : nullptr;
  return entry != nullptr && entry->state == PeerState::connected;
}

rt::Task<void> Peers::keep_static(Static& target, rt::CancellationToken token) {
  rt::Duration delay = kFirstDelay;
  for (;;) {
    if (connected(target)) {
      target.state = PeerState::connected;
      delay = kFirstDelay;
      co_await changed_.wait(token);
      continue;
    }
    const rt::TimePoint began = control_.executor().now();
    target.state = PeerState::connecting;
    const Error error = co_await dial_once(target, token);
    if (connected(target)) continue;  // this session was a second one
    target.state = error.code == ErrorCode::refused ? PeerState::refused : PeerState::unreachable;
    target.error = error.message;
    if (control_.executor().now() - began > kLongestDelay) delay = kFirstDelay;  // it had been connected
    wake_waiters();
    log_.debug(target.address + ": " + error.message);
    const auto spread =
        static_cast<std::int64_t>(options_.random->below(static_cast<std::uint64_t>(delay.count() / 4 + 1)));
    co_await wait_retry(target, delay + rt::Duration(spread), token);
    delay = std::min(delay * 2, kLongestDelay);
  }
}

/// Until the time for the next attempt, or somebody asks for it.
rt::Task<void> Peers::wait_retry(Static& target, rt::Duration delay, rt::CancellationToken token) {
  rt::Deadline deadline(control_.executor(), delay, token);
  target.kick.reset();
  try {
    co_await target.kick.wait(deadline.token());
  } catch (const rt::Cancelled&) {
    if (token.requested()) throw;
  }
}

/// Resolves, dials each address and stays for as long as the session lasts.
rt::Task<Error> Peers::dial_once(Static& target, rt::CancellationToken token) {
  const Result<HostPort> where = split(target.address);
  if (!where) co_return where.error();
  const auto addresses = co_await options_.resolver->resolve(where->host, where->port, token);
  if (!addresses) co_return addresses.error();
  Error last{ErrorCode::unreachable, target.address + " has no address", 0};
  for (const net::SocketAddress& address : *addresses) {
    target.dial = next_dial_++;  // on_hello() learns from it whom this leads to
    target.greeted = false;
    target.verdict.reset();
    last = co_await hold_session(address, target.dial, token);
    target.dial = 0;
    if (target.verdict) co_return *std::exchange(target.verdict, std::nullopt);
    if (target.greeted) break;  // the other addresses lead to the same peer
  }
  co_return last;
}

/// What goes wrong in one session is that session's end, not Discovery's.
rt::Task<Error> Peers::hold_session(net::SocketAddress address, std::uint64_t dial, rt::CancellationToken token) {
  auto start = [context = context_, transport = options_.transport, address, dial](rt::CancellationToken t) {
    return dial_session(context, transport, address, dial, t);
  };
  Error reason{ErrorCode::internal, "the session failed", 0};
  try {
    reason = co_await rt::call_on(net_, "session to " + address.to_string(), std::move(start), token);
  } catch (const rt::Cancelled&) {
    throw;
  } catch (const std::exception& e) {
    reason.message = std::string("the session failed: ") + e.what();
    log_.error(address.to_string() + ": " + reason.message);
  }
  co_return reason;
}

rt::Task<Result<PeerInfo>> Peers::connect(std::string address, rt::CancellationToken token) {
  const Result<HostPort> where = split(address);
  if (!where) co_return std::unexpected(where.error());
  add_static(address);
  const auto found = std::ranges::find_if(statics_, [&](const auto& each) { return each->address == address; });
  Static& target = **found;
  if (!connected(target)) {
    target.state = PeerState::connecting;
    target.kick.set();
  }
  rt::Deadline deadline(control_.executor(), kConnectAnswer, token);
  for (;;) {
    if (connected(target)) co_return info(*table_.find(*target.id));
    if (target.state == PeerState::refused) co_return fail(ErrorCode::refused, address + " refused: " + target.error);
    if (target.state == PeerState::unreachable || deadline.expired()) {
      const std::string why = target.error.empty() ? "" : " (" + target.error + ")";
      co_return fail(ErrorCode::unreachable,
                     address + " does not answer" + why + "; it is tried again and again from now on");
    }
    try {
      co_await changed_.wait(deadline.token());
    } catch (const rt::Cancelled&) {
      if (token.requested()) throw;
    }
  }
}

}  // namespace peer::node
