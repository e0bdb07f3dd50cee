#include "libpeer/node/quic_service.h"

#include <stdexcept>
#include <utility>

namespace peer::node {

runtime::Task<void> QuicService::run_endpoint(runtime::CancellationToken token) {
  return run_on_net(
      "endpoint", [](NetLoopState& state, runtime::CancellationToken t) { return state.run(std::move(t)); },
      std::move(token));
}

runtime::Task<void> QuicService::run_serving(sessions::SessionContext sessions, runtime::CancellationToken token) {
  return run_on_net(
      "serving",
      [sessions = std::move(sessions)](NetLoopState& state, runtime::CancellationToken t) {
        return state.serve(sessions, std::move(t));
      },
      std::move(token));
}

runtime::Task<void> QuicService::run_on_net(std::string name, NetLoop::StateTask task,
                                            runtime::CancellationToken token) {
  std::string error = "the " + name + " ended";
  try {
    co_await net_.run(name, std::move(task), token);
  } catch (const runtime::Cancelled&) {
  } catch (const std::exception& e) {
    error = e.what();
  }
  if (token.requested() || network_ended_.is_set()) co_return;
  network_error_ = error;
  network_ended_.set();
}

runtime::Task<void> QuicService::run(runtime::CancellationToken token) {
  std::exception_ptr end;
  try {
    co_await net_.set_accepting(true);
    co_await network_ended_.wait(token);
    end = std::make_exception_ptr(std::runtime_error(network_error_));
  } catch (...) {
    end = std::current_exception();
  }
  co_await net_.set_accepting(false);
  std::rethrow_exception(end);
}

}  // namespace peer::node
