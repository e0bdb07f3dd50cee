#include "libpeer/library/watch_table.h"

#include <algorithm>
#include <cerrno>

namespace peer::library {

namespace {
constexpr int kTries = 4;  // a directory that ends that often while it is entered is left to the next look
}

std::shared_ptr<WatchTable::Holder> WatchTable::begin(const Subject& subject) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Holder>& holder = holders_[subject];
  if (!holder) holder = std::make_shared<Holder>(subject);
  ++holder->walk;
  return holder;
}

int WatchTable::enter(Holder& holder, const std::string& path) {
  for (int tries = 0; tries < kTries; ++tries) {
    {
      const std::lock_guard lock(mutex_);
      if (holder.forgotten) return ECANCELED;
      ++adding_;
    }
    const int watch = add_(path);
    const std::lock_guard lock(mutex_);
    const bool ended = ended_now_.contains(watch);
    if (--adding_ == 0) ended_now_.clear();
    if (watch < 0) return -watch;
    if (ended) continue;
    std::vector<Holder*>& owners = owners_[watch];
    if (holder.forgotten) {
      if (owners.empty()) release(holder, watch);
      return ECANCELED;
    }
    if (std::ranges::find(owners, &holder) == owners.end()) owners.push_back(&holder);
    holder.watches[watch] = holder.walk;
    return 0;
  }
  return ENOENT;
}

void WatchTable::complete(Holder& holder) {
  const std::lock_guard lock(mutex_);
  std::vector<int> gone;
  for (const auto& [watch, walk] : holder.watches) {
    if (walk != holder.walk) gone.push_back(watch);
  }
  for (const int watch : gone) release(holder, watch);
}

void WatchTable::forget(const Subject& subject) {
  const std::lock_guard lock(mutex_);
  const auto at = holders_.find(subject);
  if (at == holders_.end()) return;
  const std::shared_ptr<Holder> holder = std::move(at->second);
  holders_.erase(at);
  holder->forgotten = true;
  while (!holder->watches.empty()) release(*holder, holder->watches.begin()->first);
}

void WatchTable::release(Holder& holder, int watch) {
  holder.watches.erase(watch);
  const auto at = owners_.find(watch);
  std::erase(at->second, &holder);
  if (!at->second.empty()) return;
  owners_.erase(at);
  remove_(watch);
  if (adding_ > 0) ended_now_.insert(watch);  // whoever is finding it just now must add it anew
}

std::vector<Subject> WatchTable::holders_of(int watch) const {
  std::vector<Subject> subjects;
  const std::lock_guard lock(mutex_);
  const auto at = owners_.find(watch);
  if (at == owners_.end()) return subjects;
  for (const Holder* holder : at->second) subjects.push_back(holder->subject);
  return subjects;
}

std::vector<Subject> WatchTable::all() const {
  std::vector<Subject> subjects;
  const std::lock_guard lock(mutex_);
  subjects.reserve(holders_.size());
  for (const auto& [subject, holder] : holders_) subjects.push_back(subject);
  return subjects;
}

void WatchTable::ended(int watch) {
  const std::lock_guard lock(mutex_);
  if (adding_ > 0) ended_now_.insert(watch);
  const auto at = owners_.find(watch);
  if (at == owners_.end()) return;
  for (Holder* holder : at->second) holder->watches.erase(watch);
  owners_.erase(at);
}

std::size_t WatchTable::size() const {
  const std::lock_guard lock(mutex_);
  return owners_.size();
}

}  // namespace peer::library
