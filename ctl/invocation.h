// Invocation: one run of peerctl. It holds the connection to the daemon, and prints results and errors.
//
// Loop:   one thread uses it; interrupt() may be called from any thread and from signal handlers
// Cancel: after catch_interrupts(), SIGINT ends every wait with CallFailure::Kind::interrupted
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "ctl/arguments/arguments.h"
#include "ctl/entries.h"
#include "ctl/text/table.h"
#include "libpeer/control/client.h"

namespace peer::ctl {

using control::CallFailure;

enum ExitCode : int {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,
  kNoDaemon = 3,
  kNoGame = 4,
  kPeersGone = 5,
  kCancelled = 6,
  kRefused = 7,
  kNoSpace = 8,
  kInterrupted = 130,
};

/// The exit code for an error code of the control socket, such as "no_such_game".
int exit_code(std::string_view error_code);

class Invocation {
 public:
  explicit Invocation(const Arguments& a) : arguments(a) {}

  /// Makes SIGINT (with `all` also SIGTERM and SIGHUP) end waits instead of the process.
  void catch_interrupts(bool all = false);
  /// Has the same effect as SIGINT.
  static void interrupt();
  /// A descriptor that becomes readable with the first interrupt; -1 before catch_interrupts().
  int interrupt_descriptor() const { return interrupt_; }
  /// Sleeps for that time or until an interrupt. Returns true after an interrupt.
  bool sleep(std::chrono::milliseconds time) const;

  /// Treats a stopped daemon as one that does not answer, even if systemd would start it for a connection.
  void never_start_daemon() { may_start_daemon_ = false; }

  std::expected<void, CallFailure> connect();
  /// Calls a method. Connects first if necessary.
  std::expected<Json, CallFailure> call(std::string_view method, const Json& params = {});
  control::Client& client() { return *client_; }
  void disconnect() { client_.reset(); }

  /// Prints the failure, as JSON on stdout or as text on stderr. Returns its exit code.
  int fail(const CallFailure& failure) const;
  int fail(std::string_view error_code, const std::string& message) const;
  /// Prints one line of JSON on stdout and flushes it.
  void print_json(const Json& json) const;
  /// Prints a result for people on stdout.
  void print_text(const std::string& text) const;
  void print_text(const Table& table) const;
  /// The width and colours of stdout.
  Page page() const;
  /// Prints a message on stderr, unless --quiet was given.
  void note(const std::string& text) const;

  /// Calls a method and prints its result: unchanged with --json, otherwise as the text that `to_text` makes of it.
  /// Returns the exit code.
  template <class F>
  int call_and_print(std::string_view method, const Json& params, F to_text) {
    auto result = call(method, params);
    if (!result) return fail(result.error());
    if (arguments.json) {
      print_json(*result);
    } else {
      print_text(to_text(*result));
    }
    return kDone;
  }

  const Arguments& arguments;

 private:
  std::string socket_path() const;
  /// Whether a connection to this socket would start a daemon although never_start_daemon() was called.
  bool must_not_connect(const std::string& path) const;
  std::expected<control::Client, CallFailure> open() const;
  std::optional<control::Client> client_;
  int interrupt_ = -1;
  bool may_start_daemon_ = true;
};

// The commands. Each returns the exit code.
int run_status(Invocation& invocation);
int run_games(Invocation& invocation);
int run_show(Invocation& invocation);
int run_rescan(Invocation& invocation);
int run_peers(Invocation& invocation);
int run_connect(Invocation& invocation);
int run_disconnect(Invocation& invocation);
int run_download(Invocation& invocation);
int run_downloads(Invocation& invocation);
int run_pause(Invocation& invocation);
int run_resume(Invocation& invocation);
int run_cancel(Invocation& invocation);
int run_move(Invocation& invocation);
int run_remove(Invocation& invocation);
int run_verify(Invocation& invocation);
int run_limit(Invocation& invocation);
int run_ban(Invocation& invocation);
int run_unban(Invocation& invocation);
int run_pair(Invocation& invocation);
int run_unpair(Invocation& invocation);
int run_events(Invocation& invocation);
int run_metrics(Invocation& invocation);
int run_doctor(Invocation& invocation);
int run_call(Invocation& invocation);
int run_top(Invocation& invocation);
int run_complete(Invocation& invocation);
int run_shutdown(Invocation& invocation);

}  // namespace peer::ctl
