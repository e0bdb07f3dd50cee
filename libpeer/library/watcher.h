// Watcher: tells the library that something below its roots may have changed.
//
// A look at a game enters each directory here before it lists it, so that nothing falls between the two. What cannot be
// watched is found by periodic scans instead. Loop: run() and its callback the library's; the rest any thread.
#pragma once

#include <compare>
#include <functional>
#include <memory>
#include <string>

#include "libpeer/runtime/cancellation.h"
#include "libpeer/runtime/task.h"

namespace peer::library {

/// One game, or with an empty `game` the root itself: which games lie in it.
struct Subject {
  std::string root;
  std::string game;
  auto operator<=>(const Subject&) const = default;
};

/// One look at a subject. Loop: one thread at a time.
class WatchWalk {
 public:
  virtual ~WatchWalk() = default;
  /// Watches this directory, without what is below it, for the subject. False if it cannot be watched.
  virtual bool enter(const std::string& path) = 0;
  /// The walk has seen all: directories that it did not enter are no longer watched for the subject.
  virtual void complete() = 0;
};

class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual std::unique_ptr<WatchWalk> walk(const Subject& subject) = 0;
  /// The subject is no more; a walk that is still under way watches nothing further.
  virtual void forget(const Subject& subject) = 0;
  /// Calls `changed` for a subject in which something may have changed since it was entered, until cancelled. One at a
  /// time. A change of the root's listing is told for the root and for the game of that name.
  virtual runtime::Task<void> run(std::function<void(const Subject&)> changed, runtime::CancellationToken token) = 0;
};

}  // namespace peer::library
