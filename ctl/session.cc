#include "ctl/session.h"

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
  // Never read: whoever waits sees it, now and later.
  [[maybe_unused]] const ssize_t written = write(interrupt_writer, "i", 1);
  errno = saved;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

constexpr int kTries = 3;

/// Whether a call that failed as the first on its connection has changed nothing, or changes nothing anyway.
bool may_repeat(std::string_view method, const CallFailure& failure) {
  return failure.not_taken || (failure.kind == CallFailure::Kind::no_daemon && control::is_repeatable(method));
}

}  // namespace

int exit_code(std::string_view code) {
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
    if (word == code) return exit;
  }
  return kFailed;
}

void Session::catch_interrupts(bool all) {
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

void Session::interrupt() { on_interrupt(SIGINT); }

bool Session::sleep(std::chrono::milliseconds time) const {
  pollfd descriptor{interrupt_, POLLIN, 0};
  return poll(&descriptor, 1, static_cast<int>(time.count())) != 0;
}

std::string Session::socket_path() const {
  if (arguments.socket) return *arguments.socket;
  if (const std::string path = variable("PEERD_SOCKET"); !path.empty()) return path;
  std::string system = "/run/peerd/peerd.sock";
  const std::string runtime = variable("XDG_RUNTIME_DIR");
  if (runtime.empty()) return system;
  std::string user = runtime + "/peerd/peerd.sock";
  if (!would_wake(user) && control::Client::connect(user)) return user;
  // Where neither answers, the user's own is the one to be told about, if there is no other.
  return access(system.c_str(), F_OK) == 0 ? system : user;
}

bool Session::would_wake(const std::string& path) const {
  return !wakes_ && control::presence_at(path) == control::Presence::stopped;
}

std::expected<control::Client, CallFailure> Session::open() const {
  const std::string path = socket_path();
  if (would_wake(path)) {
    return std::unexpected(CallFailure{CallFailure::Kind::no_daemon, "no_daemon",
                                       "the daemon of " + path + " is stopped: 'systemctl start peerd' starts it"});
  }
  return control::Client::connect(path, interrupt_);
}

std::expected<void, CallFailure> Session::connect() {
  auto client = open();
  if (!client) return std::unexpected(client.error());
  client_.emplace(std::move(*client));
  return {};
}

std::expected<Json, CallFailure> Session::call(std::string_view method, const Json& params) {
  // A daemon that stops may have let us in and looked at nothing: where systemd keeps the socket, the next one answers.
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

int Session::fail(const CallFailure& failure) const { return fail(failure.code, failure.message); }

int Session::fail(std::string_view code, const std::string& message) const {
  if (arguments.json) {
    print({{"error", {{"code", code}, {"message", message}}}});
  } else {
    std::fprintf(stderr, "peerctl: %s\n", plain(message).c_str());
  }
  return exit_code(code);
}

void Session::print(const Json& json) const {
  std::puts(json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  std::fflush(stdout);
}

void Session::say(const std::string& text) const {
  std::fputs(text.c_str(), stdout);
  if (!text.ends_with('\n')) std::fputc('\n', stdout);
  std::fflush(stdout);
}

void Session::say(const Table& table) const { say(table.text(page())); }

Page Session::page() const { return page_of(STDOUT_FILENO); }

void Session::note(const std::string& text) const {
  if (!arguments.quiet) std::fprintf(stderr, "%s\n", text.c_str());
}

std::string missing_roots(const Json& answer) {
  std::string text;
  for (const Json& root : answer.value("missing_roots", Json::array())) {
    text += "missing     library root " + plain(root.at("root").get<std::string>()) + ": " +
            plain(root.at("reason").get<std::string>()) + "\n";
  }
  return text;
}

}  // namespace peer::ctl
