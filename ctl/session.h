// Session: one run of peerctl: its connection to the daemon, and how results and failures are told.
#pragma once

#include <expected>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "ctl/arguments/arguments.h"
#include "ctl/text/format.h"
#include "ctl/text/table.h"
#include "libpeer/control/client.h"

namespace peer::ctl {

using Json = nlohmann::ordered_json;
using control::CallFailure;

enum Exit : int {
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

/// Of a download's state: nothing more comes of it.
bool is_over(std::string_view state);
/// Of an entry of downloads.list.
Progress progress_of(const Json& entry);

/// Of an error word.
int exit_code(std::string_view code);

/// A line for each library root that the answer calls missing.
std::string missing_roots(const Json& answer);

class Session {
 public:
  explicit Session(const Arguments& a) : arguments(a) {}

  /// From now on SIGINT (and SIGTERM and SIGHUP, if `all`) ends waits, with CallFailure::Kind::interrupted, instead of
  /// the program.
  void catch_interrupts(bool all = false);
  /// As if SIGINT had come. Any thread.
  static void interrupt();
  /// Readable from the first interrupt on; -1: they are not caught.
  int interrupt_descriptor() const { return interrupt_; }
  /// Ends early on SIGINT: true if it came.
  bool sleep(std::chrono::milliseconds time) const;

  /// From now on a daemon that is stopped, and that connecting would start, counts as one that does not answer.
  void let_sleep() { wakes_ = false; }

  std::expected<void, CallFailure> connect();
  /// Connects first if need be.
  std::expected<Json, CallFailure> call(std::string_view method, const Json& params = {});
  control::Client& client() { return *client_; }
  void disconnect() { client_.reset(); }

  /// Tells the failure and returns its exit code.
  int fail(const CallFailure& failure) const;
  int fail(std::string_view code, const std::string& message) const;
  /// One line of JSON, written out at once.
  void print(const Json& json) const;
  /// A result for people, on stdout.
  void say(const std::string& text) const;
  void say(const Table& table) const;
  /// What stdout is.
  Page page() const;
  /// For people who watch: on stderr, unless --quiet.
  void note(const std::string& text) const;

  /// Calls, and prints the result as JSON or as `people` makes it text; the exit code.
  template <class F>
  int show(std::string_view method, const Json& params, F people) {
    auto result = call(method, params);
    if (!result) return fail(result.error());
    if (arguments.json) {
      print(*result);
    } else {
      say(people(*result));
    }
    return kDone;
  }

  const Arguments& arguments;

 private:
  std::string socket_path() const;
  /// Whether connecting there would start a daemon that is to stay as it is.
  bool would_wake(const std::string& path) const;
  std::expected<control::Client, CallFailure> open() const;
  std::optional<control::Client> client_;
  int interrupt_ = -1;
  bool wakes_ = true;
};

// The command groups.
int run_status(Session& session);
int run_games(Session& session);
int run_show(Session& session);
int run_rescan(Session& session);
int run_peers(Session& session);
int run_connect(Session& session);
int run_disconnect(Session& session);
int run_download(Session& session);
int run_downloads(Session& session);
int run_pause(Session& session);
int run_resume(Session& session);
int run_cancel(Session& session);
int run_move(Session& session);
int run_remove(Session& session);
int run_verify(Session& session);
int run_limit(Session& session);
int run_ban(Session& session);
int run_unban(Session& session);
int run_pair(Session& session);
int run_unpair(Session& session);
int run_events(Session& session);
int run_metrics(Session& session);
int run_doctor(Session& session);
int run_call(Session& session);
int run_top(Session& session);
int run_complete(Session& session);
int run_shutdown(Session& session);

}  // namespace peer::ctl
