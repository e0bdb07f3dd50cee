// Client: peerctl's side of the control socket. Blocking: one thread, one connection, one call at a time.
//
// Events that arrive during a call are kept for next_event(), or passed to the function of on_event(). Unless the
// caller has subscribed to events, the client itself subscribes to RuntimeFailed: if the daemon fails during a call,
// the error then reports the reason, even if the daemon never answers. A caller that subscribes and waits should
// include that event.
#pragma once

#include <chrono>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace peer::control {

/// Why a call has no result.
struct CallFailure {
  enum class Kind {
    no_daemon,    ///< no daemon answers at the socket, or the daemon stopped
    interrupted,  ///< the interrupt descriptor is readable
    refused,      ///< the daemon's answer is an error
  } kind = Kind::no_daemon;
  std::string code;  ///< the error's data.code, or "no_daemon" or "interrupted"
  std::string message;
  bool not_taken = false;  ///< the daemon did not begin the command, so repeating the call is safe
};

class Client {
 public:
  using Json = nlohmann::ordered_json;
  using Milliseconds = std::chrono::milliseconds;

  /// Every wait ends when the descriptor `interrupt` becomes readable; -1: none. Fails: no_daemon.
  static std::expected<Client, CallFailure> connect(const std::string& path, int interrupt = -1);
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  /// Returns the result of the call. Fails: as in CallFailure.
  std::expected<Json, CallFailure> call(std::string_view method, const Json& params);
  /// Returns the params of the next event, or nothing if none arrives within `limit`.
  std::expected<std::optional<Json>, CallFailure> next_event(Milliseconds limit);
  /// From now on, passes the params of each event that arrives during a call to `receive`.
  void on_event(std::function<void(const Json&)> receive);
  /// Drops the events that arrived during calls.
  void forget_events();

 private:
  struct State;
  explicit Client(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace peer::control
