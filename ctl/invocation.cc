#include "ctl/invocation.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "ctl/terminal.h"
#include "ctl/text/format.h"
#include "libpeer/control/client_methods.h"
#include "libpeer/control/client_presence.h"

namespace peer::ctl {
namespace {

int interrupt_writer = -1;

void on_interrupt(int) {
  const int saved = errno;
  // The byte is never read, so the descriptor stays readable for every later wait.
  [[maybe_unused]] const ssize_t written = write(interrupt_writer, "i", 1);
  errno = saved;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

constexpr int kTries = 3;

/// Whether repeating this failed call is safe: the daemon did not receive it, or the method changes nothing.
bool may_repeat(std::string_view method, const CallFailure& failure) {
  return failure.not_taken || (failure.kind == CallFailure::Kind::no_daemon && control::is_repeatable(method));
}

}  // namespace

int exit_code(std::string_view error_code) {
  static constexpr std::array<std::pair<std::string_view, int>, 9> kCodes{{{"no_daemon", kNoDaemon},
                                                                           {"no_such_game", kNoGame},
                                                                           {"no_peer_has_it", kNoGame},
                                                                           {"peers_gone", kPeersGone},
                                                                           {"cancelled", kCancelled},
                                                                           {"refused", kRefused},
                                                                           {"no_space", kNoSpace},
                                                                           {"invalid", kUsage},
                                                                           {"interrupted", kInterrupted}}};
  for (const auto& [word, exit] : kCodes) {
    if (word == error_code) return exit;
  }
  return kFailed;
}

void Invocation::catch_interrupts(bool all) {
  int ends[2];
  if (interrupt_ >= 0 || pipe(ends) != 0) return;
  interrupt_ = ends[0];
  interrupt_writer = ends[1];
  struct sigaction action{};
  action.sa_handler = on_interrupt;
  sigaction(SIGINT, &action, nullptr);
  for (const int number : {SIGTERM, SIGHUP}) {
    if (all) sigaction(number, &action, nullptr);
  }
}

void Invocation::interrupt() { on_interrupt(SIGINT); }

bool Invocation::sleep(std::chrono::milliseconds time) const {
  pollfd descriptor{interrupt_, POLLIN, 0};
  return poll(&descriptor, 1, static_cast<int>(time.count())) != 0;
}

std::string Invocation::socket_path() const {
  if (arguments.socket) return *arguments.socket;
  if (const std::string path = variable("PEERD_SOCKET"); !path.empty()) return path;
  std::string system = "/run/peerd/peerd.sock";
  const std::string runtime = variable("XDG_RUNTIME_DIR");
  if (runtime.empty()) return system;
  std::string user = runtime + "/peerd/peerd.sock";
  if (!must_not_connect(user) && control::Client::connect(user)) return user;
  // Neither answers: name the system's socket in the error if it exists, otherwise the user's.
  return access(system.c_str(), F_OK) == 0 ? system : user;
}

bool Invocation::must_not_connect(const std::string& path) const {
  return !may_start_daemon_ && control::presence_at(path) == control::Presence::stopped;
}

std::expected<control::Client, CallFailure> Invocation::open() const {
  const std::string path = socket_path();
  if (must_not_connect(path)) {
    return std::unexpected(CallFailure{CallFailure::Kind::no_daemon, "no_daemon",
                                       "the daemon at " + path + " is stopped; start it with 'systemctl start peerd'"});
  }
  return control::Client::connect(path, interrupt_);
}

std::expected<void, CallFailure> Invocation::connect() {
  auto client = open();
  if (!client) return std::unexpected(client.error());
  client_.emplace(std::move(*client));
  return {};
}

std::expected<Json, CallFailure> Invocation::call(std::string_view method, const Json& params) {
  // A stopping daemon can accept a connection and close it before it reads the call. If systemd holds the socket, the
  // next daemon answers on a new connection.
  for (int tries = client_ ? kTries : 1;; ++tries) {
    if (!client_) {
      if (auto connected = connect(); !connected) return std::unexpected(connected.error());
    }
    auto result = client_->call(method, params);
    if (result || tries >= kTries || !may_repeat(method, result.error())) return result;
    auto next = open();
    if (!next) return result;
    client_.emplace(std::move(*next));
  }
}

int Invocation::fail(const CallFailure& failure) const { return fail(failure.code, failure.message); }

int Invocation::fail(std::string_view error_code, const std::string& message) const {
  if (arguments.json) {
    print_json({{"error", {{"code", error_code}, {"message", message}}}});
  } else {
    std::fprintf(stderr, "peerctl: %s\n", printable(message).c_str());
  }
  return exit_code(error_code);
}

void Invocation::print_json(const Json& json) const {
  std::puts(json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  std::fflush(stdout);
}

void Invocation::print_text(const std::string& text) const {
  std::fputs(text.c_str(), stdout);
  if (!text.ends_with('\n')) std::fputc('\n', stdout);
  std::fflush(stdout);
}

void Invocation::print_text(const Table& table) const { print_text(table.text(page())); }

Page Invocation::page() const { return page_of(STDOUT_FILENO); }

void Invocation::note(const std::string& text) const {
  if (!arguments.quiet) std::fprintf(stderr, "%s\n", text.c_str());
}

}  // namespace peer::ctl
