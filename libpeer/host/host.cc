#include "libpeer/host/host.h"

#include <filesystem>
#include <thread>

#include "libpeer/api/peer_builder.h"
#include "libpeer/host/state_directory.h"
#include "libpeer/host/system.h"
#include "libpeer/net/address.h"
#include "libpeer/store/store.h"

namespace peer::host {
namespace {

/// The part of a running peer that other threads use.
struct RunningPeer {
  std::string address;
  api::PeerRuntimeHandle handle;
};

/// Everything that the thread of the control loop owns.
struct HostThread {
  StateDirectory state;
  std::unique_ptr<store::Store> store;
  net::SocketAddress address;
  HostOptions options;
  api::PeerBuilder peer;
  std::promise<Result<RunningPeer>> started;
  std::promise<api::RuntimeExit> ended;
};

/// Returns the exit only if everything has ended; after an overrun it sets `ended` and may never return.
runtime::Task<void> run_peer(System& system, HostThread& thread) {
  auto socket = co_await system.bind(thread.address);
  if (!socket) {
    thread.started.set_value(std::unexpected(socket.error()));
    thread.ended.set_value({});
    co_return;
  }
  const std::string bound = (*socket)->local_address().to_string();
  system.configure(thread.peer, std::move(*socket), discovery::InterfaceFilter{}, thread.options.mdns);
  api::PeerRuntimeHandle handle = thread.peer.start();
  thread.started.set_value(RunningPeer{bound, handle});
  api::RuntimeExit exit = co_await handle.wait_stopped(runtime::CancellationToken{});
  thread.ended.set_value(std::move(exit));
  system.control().request_stop();
  co_await system.control().join();
}

void run_thread(std::unique_ptr<HostThread> thread) {
  System system(std::move(thread->store), thread->options.log);
  system.executor().run(run_peer(system, *thread));
  system.stop();
}

Result<std::unique_ptr<HostThread>> prepare(HostOptions options) {
  for (std::string& root : options.roots) root = std::filesystem::absolute(root).lexically_normal().string();
  options.state = std::filesystem::absolute(options.state).lexically_normal().string();
  auto state = StateDirectory::open(options.state, options.log);
  if (!state) return std::unexpected(state.error());
  auto identity = state->identity();
  if (!identity) return std::unexpected(identity.error());
  if (auto usable = prepare_roots(options.roots); !usable) return std::unexpected(usable.error());
  const auto address = net::SocketAddress::parse(options.listen);
  if (!address) return std::unexpected(address.error());
  auto store = store::open_sqlite_store(state->file("peerd.db"), options.log.named("store"));
  if (!store) return std::unexpected(store.error());
  api::PeerSettings settings;
  settings.name = options.name.empty() ? host_name() : options.name;
  settings.roots = options.roots;
  settings.protected_trees = {options.state};
  settings.peers = options.peers;
  settings.settle = options.settle;
  api::PeerBuilder peer(std::move(*identity), std::move(settings));
  peer.on_event(options.on_event);
  return std::unique_ptr<HostThread>(
      new HostThread{std::move(*state), std::move(*store), *address, std::move(options), std::move(peer), {}, {}});
}

}  // namespace

class Host::Impl {
 public:
  Impl(std::thread thread, RunningPeer running, std::future<api::RuntimeExit> ended)
      : thread_(std::move(thread)),
        ended_(std::move(ended)),
        running(std::move(running)),
        sender(this->running.handle.sender()) {}
  ~Impl() {
    if (!thread_.joinable()) return;
    running.handle.shutdown();
    wait();
  }
  /// A thread whose tasks did not end in time (a system call that hangs) is abandoned with everything that it owns.
  api::RuntimeExit wait() {
    api::RuntimeExit exit = ended_.get();
    if (exit.overran.empty()) {
      thread_.join();
    } else {
      thread_.detach();
    }
    return exit;
  }

 private:
  std::thread thread_;
  std::future<api::RuntimeExit> ended_;

 public:
  const RunningPeer running;
  const api::CommandSender sender;
};

Host::Host(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Host::~Host() = default;

Result<std::unique_ptr<Host>> Host::start(HostOptions options) {
  auto prepared = prepare(std::move(options));
  if (!prepared) return std::unexpected(prepared.error());
  auto started = (*prepared)->started.get_future();
  auto ended = (*prepared)->ended.get_future();
  std::thread thread(run_thread, std::move(*prepared));
  auto running = started.get();
  if (!running) {
    thread.join();
    return std::unexpected(running.error());
  }
  auto impl = std::make_unique<Impl>(std::move(thread), std::move(*running), std::move(ended));
  return std::unique_ptr<Host>(new Host(std::move(impl)));
}

const api::CommandSender& Host::sender() const { return impl_->sender; }
const std::string& Host::address() const noexcept { return impl_->running.address; }
void Host::shutdown() const { impl_->running.handle.shutdown(); }
api::RuntimeExit Host::wait() { return impl_->wait(); }

}  // namespace peer::host
