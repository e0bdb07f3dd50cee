// RunningTasks: the names of a node's tasks on both loops. Loop: control.
#pragma once

#include <string>
#include <vector>

#include "libpeer/api/commands.h"
#include "libpeer/runtime/scope.h"

namespace peer::node {

class RunningTasks {
 public:
  /// `root`: the node's own scope on the control loop; `control` and `net`: the root scopes of the loops.
  RunningTasks(const runtime::Scope& root, const runtime::Scope& control, runtime::Scope& net)
      : root_(root), control_(control), net_(net) {}

  /// An approximation; does not wait for the net loop, which may be busy.
  std::size_t count() const;
  /// Waits for the net loop. The tasks that build the list are left out.
  runtime::Task<Result<std::vector<api::TaskInfo>>> list(runtime::CancellationToken token) const;

 private:
  /// In simulations both loops are the same loop, and the tree of `net` holds every task.
  bool separate_loops() const noexcept { return &net_ != &control_; }

  const runtime::Scope& root_;
  const runtime::Scope& control_;
  runtime::Scope& net_;
};

/// "scope/task" of the tasks that still run at the shutdown deadline; `root` may be null. Waits at most 50 ms for the
/// net loop, which may be what hangs, and then names that instead of its tasks.
runtime::Task<std::vector<std::string>> overrunning_tasks(const runtime::Scope* root, runtime::Scope& control,
                                                          runtime::Scope& net);

}  // namespace peer::node
