// LibraryReadiness: whether commands about games can be answered yet. Right after the start, before the library has
// been listed, the answer would be that there are no games.
//
// It is ready when the first listing is complete and the last run's downloads are in the queue. Loop: control.
#pragma once

#include "libpeer/library/library.h"
#include "libpeer/runtime/event.h"

namespace peer::node {

class LibraryReadiness {
 public:
  explicit LibraryReadiness(const library::Library& library) : library_(library) {}

  void on_snapshot() { update(); }
  void on_downloads_restored() {
    downloads_restored_ = true;
    update();
  }
  bool is_ready() const noexcept { return ready_.is_set(); }
  /// Waits at most `limit`, in case the disk hangs. After that, the library counts as ready.
  runtime::Task<void> wait_for(runtime::Executor& executor, runtime::Duration limit, runtime::CancellationToken token) {
    if (!co_await ready_.wait_for(executor, limit, std::move(token))) ready_.set();
  }

 private:
  void update() {
    if (downloads_restored_ && library_.snapshot()->complete) ready_.set();
  }

  const library::Library& library_;
  runtime::Event ready_;
  bool downloads_restored_ = false;
};

}  // namespace peer::node
