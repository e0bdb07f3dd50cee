// Scope: the tasks of one owner, with a common cancellation and one join point.
//
// 1. Every spawned task runs to its end before join() returns; a scope is destroyed only joined and empty.
// 2. A first failure requests token(), so the siblings stop; join() rethrows it. Further failures are kept and appended
// to
//    the message (ScopeFailed), so that none is lost.
// 3. A Cancelled that leaves a task counts as a normal end if the scope's token was requested, otherwise as a failure.
// 4. After join() has returned, spawn() is a bug.
// Loop: one.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <list>
#include <stdexcept>
#include <string>
#include <vector>

#include "libpeer/runtime/cancellation.h"
#include "libpeer/runtime/task.h"

namespace peer::runtime {

/// Two or more tasks of one scope failed: what() has all their messages.
struct ScopeFailed final : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What an exception says, for logs and events.
std::string describe(const std::exception_ptr& error);

class Scope {
 public:
  /// A root scope of a loop.
  Scope(Executor& executor, std::string name, const CancellationToken& parent);
  /// A scope below `parent`: it is cancelled with it and appears under it in visit().
  Scope(Scope& parent, std::string name);
  /// Below `parent` in visit(), but cancelled by another token (one that is itself below the parent's).
  Scope(Scope& parent, std::string name, const CancellationToken& token);
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope();

  Executor& executor() const noexcept { return executor_; }
  CancellationToken token() const noexcept { return source_.token(); }
  const std::string& name() const noexcept { return name_; }

  /// The task first runs on the loop's next turn; it also runs if the scope is cancelled already.
  void spawn(std::string name, Task<void> task);
  void request_stop() noexcept { source_.request(); }
  /// Waits until no task is left. One waiter at a time. Cancel: it cannot be; request_stop() first to make it short.
  /// Fails: rethrows the tasks' failures.
  Task<void> join();

  /// join() has returned: nothing may be spawned any more.
  bool joined() const noexcept { return joined_; }
  bool empty() const noexcept { return running_.empty(); }
  /// Tasks that are alive, here and in the scopes below.
  std::size_t size() const noexcept;
  /// The same of this loop's whole tree, from its root on. Any thread: whoever asks does not wait for the loop.
  std::size_t size_of_tree() const noexcept { return root_.alive_; }
  /// Calls `fn(task, scope)` for each of them.
  void visit(const std::function<void(const std::string& task, const std::string& scope)>& fn) const;

 private:
  struct Wait;
  detail::Root drive(std::list<std::string>::iterator self, Task<void> task);

  Executor& executor_;
  Scope* parent_;
  Scope& root_;
  std::string name_;
  CancellationSource source_;
  std::list<std::string> running_;
  std::atomic<std::size_t> alive_ = 0;  ///< of a root: in it and below
  std::vector<Scope*> below_;
  std::vector<std::exception_ptr> failures_;
  Suspended* joiner_ = nullptr;
  bool joined_ = false;
};

}  // namespace peer::runtime
