// Who has what of a version that several are downloading: so they fetch it from each other, and not all from one.
//
// Who begins to download says so to everyone. Those that download the same version tell each other everything, then
// what is added, twice a second at most. Nobody else is told anything, and nothing else is remembered.
#include <algorithm>
#include <utility>

#include "libpeer/protocol/limits.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/sessions/peers.h"

namespace peer::sessions {

using namespace std::chrono_literals;

namespace {
constexpr runtime::Duration kTellInterval = 500ms;
/// A download that is complete is offered a moment later: then nobody need be told that it has ended.
constexpr runtime::Duration kEndDelay = 1s;
/// Messages that one session may tell at once, and then a second.
constexpr double kBurst = 64;
constexpr double kPerSecond = 8;
/// Of all that is held, what is told at once: the rest of a game in more runs than that is fetched from others.
constexpr std::size_t kMaxWholeMessages = 16;

std::vector<protocol::HeldRun> runs_of(const std::vector<bool>& have) {
  std::vector<protocol::HeldRun> runs;
  for (std::size_t chunk = 0; chunk < have.size(); ++chunk) {
    if (!have[chunk]) continue;
    if (chunk == 0 || !have[chunk - 1]) runs.push_back({chunk, 0});
    ++runs.back().count;
  }
  return runs;
}

/// In order, each as long as can be.
std::vector<protocol::HeldRun> merged(std::vector<protocol::HeldRun> runs) {
  std::ranges::sort(runs, {}, &protocol::HeldRun::first);
  std::vector<protocol::HeldRun> result;
  for (const protocol::HeldRun& run : runs) {
    if (result.empty() || run.first > result.back().first + result.back().count) {
      result.push_back(run);
    } else {
      const std::uint64_t end = std::max(result.back().first + result.back().count, run.first + run.count);
      result.back().count = end - result.back().first;
    }
  }
  return result;
}
}  // namespace

void Peers::holdings_begin(const std::string& game, const Digest& version, const std::vector<bool>& have) {
  if (own_.contains(game)) end_own(game, true);
  const Own& own = own_.emplace(game, Own{version, have, {}, std::nullopt}).first->second;
  for (auto& [id, session] : sessions_) {
    if (session.greeted) tell_runs(session, game, own, {});
  }
}

void Peers::holdings_grow(const std::string& game, std::uint64_t first, std::uint64_t count) {
  const auto own = own_.find(game);
  if (own == own_.end()) return;
  std::fill_n(own->second.have.begin() + static_cast<std::ptrdiff_t>(first), count, true);
  std::vector<protocol::HeldRun>& news = own->second.news;
  if (!news.empty() && news.back().first + news.back().count == first) {
    news.back().count += count;
  } else {
    news.push_back({first, count});
  }
  holdings_changed_.set();
}

void Peers::holdings_end(const std::string& game) {
  const auto own = own_.find(game);
  if (own == own_.end()) return;
  own->second.over = control_.executor().now();
  holdings_changed_.set();
}

void Peers::end_own(const std::string& game, bool tell) {
  const auto own = own_.find(game);
  for (auto& [id, session] : sessions_) {
    if (tell && session.greeted) send(session, protocol::HoldingsEnd{game, own->second.version});
    session.follows.erase(game);
  }
  own_.erase(own);
  for (auto& [id, entry] : table_.all()) entry.holdings.erase(game);
}

void Peers::tell_runs(Session& session, const std::string& game, const Own& own,
                      const std::vector<protocol::HeldRun>& runs) {
  std::size_t at = 0;
  do {
    protocol::Holdings message{game, own.version, own.have.size(), {}};
    const std::size_t end = std::min(runs.size(), at + protocol::kMaxHoldingRuns);
    message.runs.assign(runs.begin() + static_cast<std::ptrdiff_t>(at),
                        runs.begin() + static_cast<std::ptrdiff_t>(end));
    send(session, std::move(message));
    at = end;
  } while (at < runs.size() && at < kMaxWholeMessages * protocol::kMaxHoldingRuns);
}

void Peers::tell_all_held(Session& session, const std::string& game, const Own& own) {
  session.follows.insert(game);
  tell_runs(session, game, own, runs_of(own.have));
}

/// A new session: the other side does not know what is being downloaded here.
void Peers::greet_with_holdings(Session& session) {
  for (const auto& [game, own] : own_) {
    if (!own.over) tell_runs(session, game, own, {});
  }
}

void Peers::tell_holdings() {
  std::vector<std::string> over;
  for (auto& [game, own] : own_) {
    if (own.over && control_.executor().now() - *own.over >= kEndDelay) over.push_back(game);
    if (own.over || own.news.empty()) continue;
    const std::vector<protocol::HeldRun> runs = merged(std::exchange(own.news, {}));
    for (auto& [id, session] : sessions_) {
      if (session.greeted && session.follows.contains(game)) tell_runs(session, game, own, runs);
    }
  }
  for (const std::string& game : over) end_own(game, true);
}

runtime::Task<void> Peers::share_holdings(runtime::CancellationToken token) {
  for (;;) {
    co_await holdings_changed_.wait(token);
    holdings_changed_.reset();
    if (!leaving_) tell_holdings();
    co_await runtime::sleep_for(control_.executor(), kTellInterval, token);
    if (std::ranges::any_of(own_, [](const auto& each) { return each.second.over.has_value(); })) {
      holdings_changed_.set();
    }
  }
}

void Peers::on_holdings(Session& session, PeerEntry& entry, const protocol::Holdings& holdings) {
  // Too often: what it has is known less well then.
  if (!session.holdings.try_consume(control_.executor().now(), kBurst, kPerSecond)) return;
  const auto own = own_.find(holdings.game);
  if (own == own_.end() || own->second.over || own->second.version != holdings.version ||
      own->second.have.size() != holdings.chunks || entry.offers(holdings.game, holdings.version)) {
    if (entry.holdings.erase(holdings.game) > 0) options_.on_sources_changed();
    session.follows.erase(holdings.game);
    return;
  }
  PartialHolding& held = entry.holdings[holdings.game];
  if (held.chunks == nullptr) {
    held.version = holdings.version;
    held.chunks = std::make_shared<std::vector<bool>>(holdings.chunks);
  }
  for (const protocol::HeldRun& run : holdings.runs) {
    std::fill_n(held.chunks->begin() + static_cast<std::ptrdiff_t>(run.first), run.count, true);
  }
  held.revision = ++holdings_revision_;
  if (!session.follows.contains(holdings.game)) tell_all_held(session, holdings.game, own->second);
  options_.on_sources_changed();
}

void Peers::on_holdings_end(Session& session, PeerEntry& entry, const protocol::HoldingsEnd& end) {
  const auto held = entry.holdings.find(end.game);
  if (held == entry.holdings.end() || held->second.version != end.version) return;
  entry.holdings.erase(held);
  session.follows.erase(end.game);
  options_.on_sources_changed();
}

/// It has more to say of them: it offers them.
void Peers::forget_holdings_offered(Session& session, PeerEntry& entry) {
  std::erase_if(entry.holdings, [&](const auto& each) {
    const bool offers_it = entry.offers(each.first, each.second.version);
    if (offers_it) session.follows.erase(each.first);
    return offers_it;
  });
}

}  // namespace peer::sessions
