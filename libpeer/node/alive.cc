// What has not ended when the shutdown's time is over.
#include <memory>
#include <utility>

#include "libpeer/node/runtime_state.h"

namespace peer::node {

namespace {
/// What the net loop is asked and answers; whoever of the two is later still finds it.
struct NetNames {
  std::vector<std::string> names;
  runtime::Event answered;
};
}  // namespace

// Not by call_on(): that waits for its callee, and this loop may be what hangs.
runtime::Task<std::vector<std::string>> PeerMain::alive_on_net() const {
  auto found = std::make_shared<NetNames>();
  runtime::Executor* const home = &environment_.control->executor();
  environment_.net->executor().post([found, home, net = environment_.net] {
    std::vector<std::string> names;
    net->visit([&](const std::string& task, const std::string& scope) { names.push_back(scope + "/" + task); });
    home->post([found, names = std::move(names)]() mutable {
      found->names = std::move(names);
      found->answered.set();
    });
  });
  const bool in_time = co_await found->answered.wait_for(*home, kNamingWait, runtime::CancellationToken());
  if (!in_time) co_return std::vector<std::string>{"net/the loop does not answer"};
  co_return std::move(found->names);
}

runtime::Task<std::vector<std::string>> PeerMain::alive() const {
  std::vector<std::string> names;
  if (root_ != nullptr) {
    root_->visit([&](const std::string& task, const std::string& scope) { names.push_back(scope + "/" + task); });
  }
  if (environment_.net != environment_.control) {
    for (std::string& name : co_await alive_on_net()) names.push_back(std::move(name));
  }
  if (names.empty()) names.emplace_back("endpoint/close");
  co_return names;
}

}  // namespace peer::node
