#include "libpeer/sessions/log_limit.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "libpeer/runtime/token_bucket.h"

namespace peer::sessions {

namespace {

struct LineCount {
  runtime::TokenBucket bucket;
  std::uint64_t suppressed = 0;

  /// The number of lines suppressed before this one; nothing if this one is suppressed.
  std::optional<std::uint64_t> pass(runtime::TimePoint now, double burst, double per_second) {
    if (bucket.try_consume(now, burst, per_second)) return std::exchange(suppressed, 0);
    ++suppressed;
    return std::nullopt;
  }
};

class LineLimit {
 public:
  std::optional<std::uint64_t> pass(const std::string& peer, runtime::TimePoint now) {
    const std::lock_guard lock(mutex_);
    if (peers_.size() >= kMaxLimitedPeers && !peers_.contains(peer)) peers_.clear();
    const auto own = peers_[peer].pass(now, kPeerLinesBurst, kPeerLinesPerSecond);
    if (!own) return std::nullopt;
    const auto all = all_.pass(now, kLinesBurst, kLinesPerSecond);
    if (!all) return std::nullopt;
    return *own + *all;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, LineCount> peers_;
  LineCount all_;
};

void write(const Log& log, LogLevel level, const std::string& line) {
  switch (level) {
    case LogLevel::trace:
    case LogLevel::debug: return log.debug(line);
    case LogLevel::info: return log.info(line);
    case LogLevel::warn: return log.warn(line);
    case LogLevel::error: return log.error(line);
  }
}

}  // namespace

Log limit_peer_lines(Log log, std::function<runtime::TimePoint()> now) {
  LogSink sink = [log = std::move(log), now = std::move(now), limit = std::make_shared<LineLimit>()](
                     LogLevel level, std::string_view component, const std::string& line, const LogFields& fields) {
    Log out = log.named(std::string(component));
    const std::string* peer = nullptr;
    for (const LogField& field : fields) {
      if (field.name == "PEER") {
        out = out.peer(field.value);
        peer = &field.value;
      } else if (field.name == "GAME") {
        out = out.game(field.value);
      } else {
        out = out.service(field.value);
      }
    }
    if (peer == nullptr || level <= LogLevel::debug) return write(out, level, line);
    const auto suppressed = limit->pass(*peer, now());
    if (!suppressed) return;
    write(out, level, *suppressed == 0 ? line : line + " (" + std::to_string(*suppressed) + " lines suppressed)");
  };
  return Log(std::move(sink), "peers");
}

}  // namespace peer::sessions
