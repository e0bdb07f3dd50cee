// Client: peerctl's side of the control socket. Blocking: one thread, one connection, one call at a time.
//
// Events that arrive while a call waits are kept for next_event(), or given to on_event()'s function. Without a
// subscription of the caller's the client has one of its own, to RuntimeFailed, so that a wait that ends with the
// daemon can say why it ended, also if the daemon never answers. Whoever subscribes and waits includes that event.
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
    no_daemon,    ///< nobody answers at the socket, or not any more: it stopped
    interrupted,  ///< the interrupt descriptor became readable
    refused,      ///< the daemon's answer is an error
  } kind = Kind::no_daemon;
  std::string code;  ///< the error word, as in data.code; "no_daemon", "interrupted"
  std::string message;
  bool not_taken = false;  ///< the daemon did not begin what was asked: asking again is safe
};

class Client {
 public:
  using Json = nlohmann::ordered_json;
  using Milliseconds = std::chrono::milliseconds;

  /// Waits are ended by `interrupt` becoming readable; -1: never.
  static std::expected<Client, CallFailure> connect(const std::string& path, int interrupt = -1);
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  /// The call's result.
  std::expected<Json, CallFailure> call(std::string_view method, const Json& params);
  /// The params of the next event; nothing when `limit` is over first.
  std::expected<std::optional<Json>, CallFailure> next_event(Milliseconds limit);
  /// From now on `take` has the params of each event that arrives while a call waits.
  void on_event(std::function<void(const Json&)> take);
  /// Drops the events that came while calls waited.
  void forget_events();

 private:
  struct State;
  explicit Client(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace peer::control
