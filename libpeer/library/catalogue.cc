#include "libpeer/library/catalogue.h"

#include <utility>

namespace peer::library {

Catalogue::Catalogue(runtime::Executor& executor) : executor_(executor) {
  auto first = std::make_shared<Snapshot>();
  first->revision = 1;
  first->digest = protocol::library_digest({});
  snapshot_ = std::move(first);
}

Catalogue::~Catalogue() {
  if (timer_) executor_.disarm(*timer_);
}

void Catalogue::put(std::shared_ptr<const LocalGame> game, runtime::Duration within) {
  std::shared_ptr<const LocalGame>& shown = games_[game->id];
  offer_changed_ = offer_changed_ || (shown ? shown->offered : nullptr) != game->offered;
  shown = std::move(game);
  schedule(within);
}

void Catalogue::remove(const std::string& id) {
  const auto at = games_.find(id);
  if (at == games_.end()) return;
  offer_changed_ = offer_changed_ || at->second->offered;
  games_.erase(at);
  schedule(kGather);
}

void Catalogue::set_missing_roots(std::vector<Problem> roots) {
  if (roots == missing_roots_) return;
  missing_roots_ = std::move(roots);
  schedule(kGather);
}

void Catalogue::set_complete() {
  if (!std::exchange(complete_, true)) schedule(kGather);
}

void Catalogue::schedule(runtime::Duration within) {
  changed_ = true;
  const runtime::TimePoint at = executor_.now() + within;
  if (timer_) {
    if (timer_->at <= at) return;
    executor_.disarm(*timer_);
  }
  timer_ = executor_.arm(at, [this] {
    timer_.reset();
    publish();
  });
}

void Catalogue::publish() {
  if (!changed_) return;
  if (timer_) executor_.disarm(*timer_);
  timer_.reset();
  auto next = std::make_shared<Snapshot>();
  next->revision = snapshot_->revision;
  next->digest = snapshot_->digest;
  next->complete = complete_;
  next->missing_roots = missing_roots_;
  next->games.reserve(games_.size());
  for (const auto& [id, game] : games_) next->games.push_back(game);
  bool offered = false;
  if (offer_changed_) {
    next->digest = protocol::library_digest(next->summaries());
    offered = next->digest != snapshot_->digest;
    if (offered) ++next->revision;
  }
  changed_ = offer_changed_ = false;
  snapshot_ = std::move(next);
  if (callback_) callback_(offered);
}

}  // namespace peer::library
