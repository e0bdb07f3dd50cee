// Host: runs a peer inside another program. Host manages the threads of the event loops.
//
//   peer::host::HostOptions options;
//   options.state = "/var/lib/my-program";
//   options.roots = {"/srv/games"};
//   auto host = peer::host::Host::start(std::move(options));
//   if (!host) return report(host.error().message);
//   auto games = (*host)->call(peer::api::ListGames{});
//
// Commands and events are those of libpeer/api. A program that already has event loops can use api::start_peer()
// itself. Loop: any thread, except where noted. Owns: the loops' threads, the state directory's lock, the socket.
#pragma once

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libpeer/api/commands.h"
#include "libpeer/api/events.h"
#include "libpeer/api/peer.h"
#include "libpeer/base/log.h"
#include "libpeer/base/result.h"

namespace peer::host {

struct HostOptions {
  std::string state;                  ///< directory of the identity and the database; created with mode 0700
  std::vector<std::string> roots;     ///< library roots, created if missing; downloads go into the first
  std::string listen = "[::]:24747";  ///< ADDRESS:PORT; port 0 selects a free port
  std::vector<std::string> peers;     ///< static peers, HOST[:PORT]
  bool mdns = true;                   ///< find peers and be found by mDNS
  std::string name;                   ///< shown to other peers; empty: the host name
  std::chrono::nanoseconds settle = std::chrono::seconds(5);  ///< unchanged time after which a game is offered
  api::EventSink on_event;  ///< called on the control loop: must not block and must not throw
  Log log;                  ///< called on several threads
};

class Host {
 public:
  /// Returns when the peer runs. Blocks. Fails: invalid (an option, a damaged identity), busy (the state directory is
  /// in use), disk_error.
  static Result<std::unique_ptr<Host>> start(HostOptions options);
  /// Stops the peer if it still runs. Blocks for at most the shutdown time, 2 s.
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  /// Sends a command; the future gets the answer. Fails: cancelled, if the peer stops before it answers.
  template <class C>
  std::future<Result<typename C::Reply>> send(C command) const {
    using Answer = Result<typename C::Reply>;
    auto promise = std::make_shared<std::promise<Answer>>();
    std::future<Answer> future = promise->get_future();
    const bool sent =
        sender().send(std::move(command), [promise](Answer answer) { promise->set_value(std::move(answer)); });
    if (!sent) promise->set_value(fail(ErrorCode::cancelled, "the peer has stopped or its command queue is full"));
    return future;
  }
  /// send(), and waits for the answer. Not on the control loop (in on_event): it would wait for itself.
  template <class C>
  Result<typename C::Reply> call(C command) const {
    return send(std::move(command)).get();
  }

  /// "ip:port" of the socket.
  const std::string& address() const noexcept;
  /// Requests the clean stop: downloads pause in a resumable state and peers get a Goodbye. Does not wait.
  void shutdown() const;
  /// Waits until the peer has ended, by shutdown() or a failure. Call it once at most.
  api::RuntimeExit wait();

 private:
  class Impl;
  explicit Host(std::unique_ptr<Impl> impl);
  const api::CommandSender& sender() const;

  std::unique_ptr<Impl> impl_;
};

}  // namespace peer::host
