#include "libpeer/node/running_tasks.h"

#include <memory>
#include <utility>

#include "libpeer/runtime/call_on.h"
#include "libpeer/runtime/event.h"

namespace peer::node {

namespace {

constexpr runtime::Duration kNetLoopWait = std::chrono::milliseconds(50);

runtime::Task<std::vector<api::TaskInfo>> tasks_below(const runtime::Scope& scope) {
  std::vector<api::TaskInfo> all;
  scope.visit([&](const std::string& task, const std::string& parent) { all.push_back({task, parent}); });
  co_return all;
}

std::vector<std::string> names_below(const runtime::Scope& scope) {
  std::vector<std::string> names;
  scope.visit([&](const std::string& task, const std::string& parent) { names.push_back(parent + "/" + task); });
  return names;
}

/// Shared by the two loops, because either may finish last.
struct NetLoopAnswer {
  std::vector<std::string> names;
  runtime::Event answered;
};

// Not call_on(): that waits for its callee without a limit.
runtime::Task<std::vector<std::string>> names_on_net(runtime::Executor& home, runtime::Scope& net) {
  auto answer = std::make_shared<NetLoopAnswer>();
  net.executor().post([answer, &home, &net] {
    home.post([answer, names = names_below(net)]() mutable {
      answer->names = std::move(names);
      answer->answered.set();
    });
  });
  const bool in_time = co_await answer->answered.wait_for(home, kNetLoopWait, runtime::CancellationToken());
  if (!in_time) co_return std::vector<std::string>{"net/the loop does not answer"};
  co_return std::move(answer->names);
}

}  // namespace

std::size_t RunningTasks::count() const {
  std::size_t count = net_.size_of_tree();
  if (separate_loops()) count += root_.size();
  return count;
}

runtime::Task<Result<std::vector<api::TaskInfo>>> RunningTasks::list(runtime::CancellationToken token) const {
  const std::string own_name(api::ListTasks::kTask);
  auto on_net = [&net = net_](runtime::CancellationToken) { return tasks_below(net); };
  auto all = co_await runtime::call_on(net_, own_name, std::move(on_net), token);
  if (separate_loops()) {
    root_.visit([&](const std::string& task, const std::string& scope) { all.push_back({task, scope}); });
  }
  std::erase_if(all, [&](const api::TaskInfo& task) { return task.name == own_name; });
  co_return all;
}

runtime::Task<std::vector<std::string>> overrunning_tasks(const runtime::Scope* root, runtime::Scope& control,
                                                          runtime::Scope& net) {
  std::vector<std::string> names;
  if (root != nullptr) names = names_below(*root);
  if (&net != &control) {
    for (std::string& name : co_await names_on_net(control.executor(), net)) names.push_back(std::move(name));
  }
  if (names.empty()) names.emplace_back("endpoint/close");
  co_return names;
}

}  // namespace peer::node
