#include "libpeer/sessions/holdings_exchange.h"

#include <algorithm>
#include <utility>

#include "libpeer/protocol/limits.h"
#include "libpeer/runtime/sleep.h"

namespace peer::sessions {

using namespace std::chrono_literals;

namespace {
constexpr runtime::Duration kTellInterval = 500ms;
/// The library offers a completed download a moment later. During this time no message about its end is necessary.
constexpr runtime::Duration kEndDelay = 1s;
/// Messages that one session may send at once, and then per second.
constexpr double kBurst = 64;
constexpr double kPerSecond = 8;
/// Maximum number of messages about all holdings of a game. Chunks beyond that are fetched from other peers.
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

/// Sorts the runs and joins those that touch or overlap.
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

HoldingsExchange::HoldingsExchange(runtime::Executor& executor, const SessionProtocol& sessions, SessionLinks& links,
                                   PeerTable& table, std::function<void()> on_sources_changed)
    : executor_(executor),
      sessions_(sessions),
      links_(links),
      table_(table),
      on_sources_changed_(std::move(on_sources_changed)) {}

void HoldingsExchange::holdings_begin(const std::string& game, const Digest& version, const std::vector<bool>& have) {
  if (own_.contains(game)) end_own(game, true);
  const OwnHolding& own = own_.emplace(game, OwnHolding{version, have, {}, std::nullopt, {}}).first->second;
  for (const auto& [id, session] : sessions_.all()) {
    if (session.usable()) send_runs(id, game, own, {});
  }
}

void HoldingsExchange::holdings_grow(const std::string& game, std::uint64_t first, std::uint64_t count) {
  const auto own = own_.find(game);
  if (own == own_.end()) return;
  std::fill_n(own->second.have.begin() + static_cast<std::ptrdiff_t>(first), count, true);
  std::vector<protocol::HeldRun>& news = own->second.news;
  if (!news.empty() && news.back().first + news.back().count == first) {
    news.back().count += count;
  } else {
    news.push_back({first, count});
  }
  changed_.set();
}

void HoldingsExchange::holdings_end(const std::string& game) {
  const auto own = own_.find(game);
  if (own == own_.end()) return;
  own->second.ended = executor_.now();
  changed_.set();
}

void HoldingsExchange::on_offered(const std::vector<protocol::GameSummary>& games) {
  for (const protocol::GameSummary& game : games) {
    const auto own = own_.find(game.id);
    if (own != own_.end() && own->second.ended && own->second.version == game.version) end_own(game.id, false);
  }
}

void HoldingsExchange::end_own(const std::string& game, bool tell) {
  const auto own = own_.find(game);
  for (const auto& [id, session] : sessions_.all()) {
    if (tell && session.usable()) links_.send(id, protocol::HoldingsEnd{game, own->second.version});
  }
  own_.erase(own);
  for (auto& [id, entry] : table_.all()) entry.holdings.erase(game);
}

void HoldingsExchange::unfollow(SessionId id, const std::string& game) {
  const auto own = own_.find(game);
  if (own != own_.end()) own->second.followers.erase(id);
}

void HoldingsExchange::send_runs(SessionId id, const std::string& game, const OwnHolding& own,
                                 const std::vector<protocol::HeldRun>& runs) {
  std::size_t at = 0;
  do {
    protocol::Holdings message{game, own.version, own.have.size(), {}};
    const std::size_t end = std::min(runs.size(), at + protocol::kMaxHoldingRuns);
    message.runs.assign(runs.begin() + static_cast<std::ptrdiff_t>(at),
                        runs.begin() + static_cast<std::ptrdiff_t>(end));
    links_.send(id, std::move(message));
    at = end;
  } while (at < runs.size() && at < kMaxWholeMessages * protocol::kMaxHoldingRuns);
}

void HoldingsExchange::send_news() {
  std::vector<std::string> over;
  for (auto& [game, own] : own_) {
    if (own.ended && executor_.now() - *own.ended >= kEndDelay) over.push_back(game);
    if (own.ended || own.news.empty()) continue;
    const std::vector<protocol::HeldRun> runs = merged(std::exchange(own.news, {}));
    for (const auto& [id, session] : sessions_.all()) {
      if (session.usable() && own.followers.contains(id)) send_runs(id, game, own, runs);
    }
  }
  for (const std::string& game : over) end_own(game, true);
}

runtime::Task<void> HoldingsExchange::run(runtime::CancellationToken token) {
  for (;;) {
    co_await changed_.wait(token);
    changed_.reset();
    if (!sessions_.leaving()) send_news();
    co_await runtime::sleep_for(executor_, kTellInterval, token);
    if (std::ranges::any_of(own_, [](const auto& each) { return each.second.ended.has_value(); })) changed_.set();
  }
}

void HoldingsExchange::on_ready(SessionId id) {
  for (const auto& [game, own] : own_) {
    if (!own.ended) send_runs(id, game, own, {});
  }
}

void HoldingsExchange::on_closed(SessionId id) {
  budgets_.erase(id);
  for (auto& [game, own] : own_) own.followers.erase(id);
}

void HoldingsExchange::on_holdings(SessionId id, const Session& session, const protocol::Holdings& holdings) {
  PeerEntry* const entry = table_.find(session.peer);
  if (entry == nullptr || !budgets_[id].try_consume(executor_.now(), kBurst, kPerSecond)) return;
  const auto own = own_.find(holdings.game);
  if (own == own_.end() || own->second.ended || own->second.version != holdings.version ||
      own->second.have.size() != holdings.chunks || entry->library.offers(holdings.game, holdings.version)) {
    if (entry->holdings.erase(holdings.game) > 0) on_sources_changed_();
    unfollow(id, holdings.game);
    return;
  }
  PartialHolding& held = entry->holdings[holdings.game];
  if (held.chunks == nullptr) {
    held.version = holdings.version;
    held.chunks = std::make_shared<std::vector<bool>>(holdings.chunks);
  }
  for (const protocol::HeldRun& run : holdings.runs) {
    std::fill_n(held.chunks->begin() + static_cast<std::ptrdiff_t>(run.first), run.count, true);
  }
  held.revision = ++revision_;
  const bool follows = !own->second.followers.insert(id).second;
  if (!follows) send_runs(id, holdings.game, own->second, runs_of(own->second.have));
  on_sources_changed_();
}

void HoldingsExchange::on_holdings_end(SessionId id, const Session& session, const protocol::HoldingsEnd& end) {
  PeerEntry* const entry = table_.find(session.peer);
  if (entry == nullptr) return;
  const auto held = entry->holdings.find(end.game);
  if (held == entry->holdings.end() || held->second.version != end.version) return;
  entry->holdings.erase(held);
  unfollow(id, end.game);
  on_sources_changed_();
}

void HoldingsExchange::on_library(SessionId id, const Session& session) {
  PeerEntry* const entry = table_.find(session.peer);
  if (entry == nullptr) return;
  std::erase_if(entry->holdings, [&](const auto& each) {
    const bool offered = entry->library.offers(each.first, each.second.version);
    if (offered) unfollow(id, each.first);
    return offered;
  });
}

}  // namespace peer::sessions
