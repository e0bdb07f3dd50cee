// Watcher: reports to the library that something below its roots may have changed.
//
// A scan enters each directory here before listing it, so that no change between the two is missed. Periodic scans
// find the changes in directories that cannot be watched. Loop: the library's for run() and its callback; any thread
// for the rest.
#pragma once

#include <compare>
#include <functional>
#include <memory>
#include <string>

#include "libpeer/runtime/cancellation.h"
#include "libpeer/runtime/task.h"

namespace peer::library {

/// What is watched: one game, or, if `game` is empty, which games a root contains.
struct WatchSubject {
  std::string root;
  std::string game;
  auto operator<=>(const WatchSubject&) const = default;
};

/// One scan of a subject. Loop: one thread at a time.
class WatchWalk {
 public:
  virtual ~WatchWalk() = default;
  /// Watches this directory, without its subdirectories, for the subject. Returns false if it cannot be watched.
  virtual bool enter(const std::string& path) = 0;
  /// Ends the walk: directories that it did not enter are no longer watched for the subject.
  virtual void complete() = 0;
};

class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual std::unique_ptr<WatchWalk> walk(const WatchSubject& subject) = 0;
  /// Stops watching the subject. A walk of it that is still running watches nothing more.
  virtual void forget(const WatchSubject& subject) = 0;
  /// Calls `changed` for each subject in which something may have changed, until cancelled. A change of a root's own
  /// entries is reported for the root and for the game of that name. Limits: one call of run() at a time.
  virtual runtime::Task<void> run(std::function<void(const WatchSubject&)> changed,
                                  runtime::CancellationToken token) = 0;
};

}  // namespace peer::library
