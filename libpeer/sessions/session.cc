#include "libpeer/sessions/session.h"

namespace peer::sessions {

using namespace std::chrono_literals;

namespace {
/// Minimum time between two requests for one library. It also keeps two peers whose digests never match from asking
/// each other in a loop.
constexpr runtime::Duration kLibraryRequestInterval = 2s;
/// Requests for this peer's library that one session may make at once, and then per second.
constexpr double kRequestBurst = 16;
constexpr double kRequestsPerSecond = 1;
}  // namespace

protocol::Ping Session::start_ping(runtime::TimePoint now, Random& random) {
  ping_sent_ = now;
  ping_nonce_ = random.below(UINT64_MAX);
  return protocol::Ping{ping_nonce_};
}

std::optional<runtime::Duration> Session::on_pong(const protocol::Pong& pong, runtime::TimePoint now) {
  if (!ping_sent_ || pong.nonce != ping_nonce_) return std::nullopt;
  const runtime::Duration round_trip = now - *ping_sent_;
  ping_sent_.reset();
  return round_trip;
}

bool Session::awaits_pong(runtime::TimePoint now, runtime::Duration limit) const {
  return ping_sent_ && now - *ping_sent_ < limit;
}

protocol::LibraryRequest Session::request_library(std::uint64_t since, runtime::TimePoint now) {
  library_requested_ = now;
  return protocol::LibraryRequest{since};
}

bool Session::requested_library_recently(runtime::TimePoint now) const {
  return library_requested_ && now - *library_requested_ < kLibraryRequestInterval;
}

bool Session::admit_library_request(runtime::TimePoint now) {
  return library_requests_.try_consume(now, kRequestBurst, kRequestsPerSecond);
}

}  // namespace peer::sessions
