// KeptList: writes the changes of a list of peers to the store.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <ranges>
#include <set>
#include <utility>

#include "libpeer/base/digest.h"
#include "libpeer/base/result.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/store/store.h"

namespace peer::access {

template <class Value>
std::set<PeerId> ids_of(const std::map<PeerId, Value>& list) {
  const auto ids = list | std::views::keys;
  return {ids.begin(), ids.end()};
}

/// Loop: control.
template <class Value>
class KeptList {
 public:
  /// Both run on the store's thread.
  using Put = Result<void> (*)(store::Store& store, const PeerId& peer, const Value& value);
  using Remove = Result<void> (*)(store::Store& store, const PeerId& peer);

  KeptList(store::Store& store, runtime::Workers& store_thread, Put put, Remove remove)
      : store_(store), thread_(store_thread), put_(put), remove_(remove) {}

  /// Sets the list that was loaded from the store.
  void restore(std::map<PeerId, Value> saved) { saved_ = std::move(saved); }

  /// Makes the store's list equal to `now`. May be called while an earlier save() runs. Fails: disk_error; the next
  /// save() writes these changes again.
  runtime::Task<Result<void>> save(std::map<PeerId, Value> now) {
    const std::uint64_t number = ++saves_;
    const Changes changes = changes_to(now);
    if (changes.empty()) co_return Result<void>{};
    for (const auto& [peer, value] : changes) uncertain_[peer] = number;
    auto write = [changes, &store = store_, put = put_, remove = remove_](const runtime::StopFlag&) -> Result<void> {
      for (const auto& [peer, value] : changes) {
        if (Result<void> done = value ? put(store, peer, *value) : remove(store, peer); !done) return done;
      }
      return {};
    };
    const Result<void> written = co_await runtime::offload(thread_, std::move(write), runtime::CancellationToken());
    if (!written) {
      co_return fail(ErrorCode::disk_error,
                     "the change is in effect but could not be saved, so it is lost at the next restart: " +
                         written.error().message);
    }
    for (const auto& [peer, value] : changes) {
      const auto uncertain = uncertain_.find(peer);
      if (uncertain == uncertain_.end() || uncertain->second != number) continue;
      uncertain_.erase(uncertain);
      saved_.erase(peer);
      if (value) saved_.emplace(peer, *value);
    }
    co_return Result<void>{};
  }

 private:
  using Changes = std::map<PeerId, std::optional<Value>>;  ///< nothing: remove the peer

  Changes changes_to(const std::map<PeerId, Value>& now) const {
    Changes changes;
    for (const auto& [peer, value] : now) {
      const auto saved = saved_.find(peer);
      if (uncertain_.contains(peer) || saved == saved_.end() || saved->second != value) changes.emplace(peer, value);
    }
    for (const auto& [peer, value] : saved_) {
      if (!now.contains(peer)) changes.emplace(peer, std::nullopt);
    }
    for (const auto& [peer, number] : uncertain_) {
      if (!now.contains(peer)) changes.emplace(peer, std::nullopt);
    }
    return changes;
  }

  store::Store& store_;
  runtime::Workers& thread_;
  const Put put_;
  const Remove remove_;
  std::map<PeerId, Value> saved_;
  /// Peers whose state in the store is unknown, because the last save() of them, with that number, is running or
  /// failed.
  std::map<PeerId, std::uint64_t> uncertain_;
  std::uint64_t saves_ = 0;
};

}  // namespace peer::access
