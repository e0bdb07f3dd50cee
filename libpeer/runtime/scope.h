// Scope: the tasks of one owner, with a common cancellation and one join point.
//
// 1. Every spawned task runs to its end before join() returns; a scope must be joined and empty when it is destroyed.
// 2. The first failure requests token(), so the siblings stop, and join() rethrows it. If more tasks fail, join()
//    throws ScopeFailed with all their messages.
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

/// Two or more tasks of one scope failed; what() contains all their messages.
struct ScopeFailed final : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The exception's message, for logs and events.
std::string describe(const std::exception_ptr& error);

class Scope {
 public:
  /// A root scope of a loop.
  Scope(Executor& executor, std::string name, const CancellationToken& parent);
  /// A scope below `parent`: it is cancelled with its parent and appears below it in visit().
  Scope(Scope& parent, std::string name);
  /// A scope below `parent` in visit() that is cancelled by `token`, which must derive from the parent's token.
  Scope(Scope& parent, std::string name, const CancellationToken& token);
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope();

  Executor& executor() const noexcept { return executor_; }
  CancellationToken token() const noexcept { return source_.token(); }
  const std::string& name() const noexcept { return name_; }

  /// The task first runs on the loop's next turn, even if the scope has been cancelled.
  void spawn(std::string name, Task<void> task);
  void request_stop() noexcept { source_.request(); }
  /// Counts `error` as the failure of a task: requests the stop, and join() throws it. For code that runs with the
  /// scope but is not spawned into it (see with_scope()).
  void fail(std::exception_ptr error);
  /// Waits until every task has ended. One waiter at a time. Cancel: not cancellable; call request_stop() first to
  /// shorten the wait. Fails: rethrows the tasks' failures.
  Task<void> join();

  /// join() has returned, so spawn() is no longer allowed.
  bool joined() const noexcept { return joined_; }
  bool empty() const noexcept { return running_.empty(); }
  /// Number of live tasks, in this scope and those below.
  std::size_t size() const noexcept;
  /// Number of live tasks in the whole tree of this scope's root. Loop: any thread; it does not wait for the loop.
  std::size_t size_of_tree() const noexcept { return root_.alive_; }
  /// Calls `fn(task, scope)` for each live task, in this scope and those below.
  void visit(const std::function<void(const std::string& task, const std::string& scope)>& fn) const;

 private:
  struct JoinWait;
  detail::Root drive(std::list<std::string>::iterator self, Task<void> task);

  Executor& executor_;
  Scope* parent_;
  Scope& root_;
  std::string name_;
  CancellationSource source_;
  std::list<std::string> running_;
  std::atomic<std::size_t> alive_ = 0;  ///< of a root scope: live tasks in its tree
  std::vector<Scope*> below_;
  std::vector<std::exception_ptr> failures_;
  Suspended* joiner_ = nullptr;
  bool joined_ = false;
};

}  // namespace peer::runtime
