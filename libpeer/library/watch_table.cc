#include "libpeer/library/watch_table.h"

#include <algorithm>
#include <cerrno>

namespace peer::library {

namespace {
constexpr int kTries = 4;  // after that, the directory is left to the next scan
}

std::shared_ptr<WatchTable::SubjectWatches> WatchTable::begin_walk(const WatchSubject& subject) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<SubjectWatches>& owner = subjects_[subject];
  if (!owner) owner = std::make_shared<SubjectWatches>(subject);
  ++owner->walk;
  return owner;
}

int WatchTable::enter(SubjectWatches& owner, const std::string& path) {
  for (int tries = 0; tries < kTries; ++tries) {
    {
      const std::lock_guard lock(mutex_);
      if (owner.forgotten) return ECANCELED;
      ++adding_;
    }
    const int watch = add_(path);
    const std::lock_guard lock(mutex_);
    const bool removed = removed_meanwhile_.contains(watch);
    if (--adding_ == 0) removed_meanwhile_.clear();
    if (watch < 0) return -watch;
    if (removed) continue;
    std::vector<SubjectWatches*>& owners = owners_[watch];
    if (owner.forgotten) {
      if (owners.empty()) release(owner, watch);
      return ECANCELED;
    }
    if (std::ranges::find(owners, &owner) == owners.end()) owners.push_back(&owner);
    owner.watches[watch] = owner.walk;
    return 0;
  }
  return ENOENT;
}

void WatchTable::complete(SubjectWatches& owner) {
  const std::lock_guard lock(mutex_);
  std::vector<int> gone;
  for (const auto& [watch, walk] : owner.watches) {
    if (walk != owner.walk) gone.push_back(watch);
  }
  for (const int watch : gone) release(owner, watch);
}

void WatchTable::forget(const WatchSubject& subject) {
  const std::lock_guard lock(mutex_);
  const auto at = subjects_.find(subject);
  if (at == subjects_.end()) return;
  const std::shared_ptr<SubjectWatches> owner = std::move(at->second);
  subjects_.erase(at);
  owner->forgotten = true;
  while (!owner->watches.empty()) release(*owner, owner->watches.begin()->first);
}

void WatchTable::release(SubjectWatches& owner, int watch) {
  owner.watches.erase(watch);
  const auto at = owners_.find(watch);
  std::erase(at->second, &owner);
  if (!at->second.empty()) return;
  owners_.erase(at);
  remove_(watch);
  if (adding_ > 0) removed_meanwhile_.insert(watch);  // an add_ that has just found this watch must repeat
}

std::vector<WatchSubject> WatchTable::subjects_of(int watch) const {
  std::vector<WatchSubject> subjects;
  const std::lock_guard lock(mutex_);
  const auto at = owners_.find(watch);
  if (at == owners_.end()) return subjects;
  for (const SubjectWatches* owner : at->second) subjects.push_back(owner->subject);
  return subjects;
}

std::vector<WatchSubject> WatchTable::all_subjects() const {
  std::vector<WatchSubject> subjects;
  const std::lock_guard lock(mutex_);
  subjects.reserve(subjects_.size());
  for (const auto& [subject, owner] : subjects_) subjects.push_back(subject);
  return subjects;
}

void WatchTable::on_watch_removed(int watch) {
  const std::lock_guard lock(mutex_);
  if (adding_ > 0) removed_meanwhile_.insert(watch);
  const auto at = owners_.find(watch);
  if (at == owners_.end()) return;
  for (SubjectWatches* owner : at->second) owner->watches.erase(watch);
  owners_.erase(at);
}

std::size_t WatchTable::size() const {
  const std::lock_guard lock(mutex_);
  return owners_.size();
}

}  // namespace peer::library
