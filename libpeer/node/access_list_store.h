// AccessListStore: keeps a list of peers (bans, pairings) in the store, and a copy of its ids on the net loop.
//
// The list itself belongs to the sessions, which change it; this class saves the changes. Loop: control.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "libpeer/access/kept_list.h"
#include "libpeer/base/log.h"
#include "libpeer/runtime/event.h"

namespace peer::node {

template <class Value>
class AccessListStore {
 public:
  using List = std::map<PeerId, Value>;
  /// How the keeper reaches the list and its copies.
  struct ListBinding {
    std::function<Result<List>()> read;                        ///< from the store, on its thread
    std::function<void(const PeerId&, const Value&)> restore;  ///< into the sessions' list
    std::function<List()> current;                             ///< the sessions' list
    std::function<runtime::Task<void>(std::set<PeerId>)> tell_net;
  };
  /// `name`: "bans", for messages.
  AccessListStore(std::string name, ListBinding list, access::KeptList<Value> stored, runtime::Workers& store_thread,
                 Log log)
      : name_(std::move(name)),
        list_(std::move(list)),
        stored_(std::move(stored)),
        store_thread_(store_thread),
        log_(std::move(log)) {}

  /// Restores the list of the last run. A list that cannot be read counts as empty.
  runtime::Task<void> load() {
    auto read = [read = list_.read](const runtime::StopFlag&) { return read(); };
    const Result<List> list = co_await runtime::offload(store_thread_, std::move(read), runtime::CancellationToken());
    if (!list) {
      log_.error("cannot read the " + name_ + ": " + list.error().message);
      co_return;
    }
    for (const auto& [peer, value] : *list) list_.restore(peer, value);
    stored_.restore(list_.current());
    static_cast<void>(co_await apply());  // saves nothing: the store has this list
  }

  void request_apply() noexcept { changed_.set(); }

  /// Applies each change until cancelled.
  runtime::Task<void> run(runtime::CancellationToken token) {
    for (;;) {
      co_await changed_.wait(token);
      changed_.reset();
      const Result<void> saved = co_await apply();
      if (!saved) log_.error("cannot save the " + name_ + ": " + saved.error().message);
    }
  }

  /// Tells the net loop, then saves the difference to the store. Fails: disk_error; the next change saves it again.
  runtime::Task<Result<void>> apply() {
    const List now = list_.current();
    co_await list_.tell_net(access::ids_of(now));
    co_return co_await stored_.save(now);
  }

 private:
  const std::string name_;
  ListBinding list_;
  access::KeptList<Value> stored_;
  runtime::Workers& store_thread_;
  Log log_;
  runtime::Event changed_;
};

}  // namespace peer::node
