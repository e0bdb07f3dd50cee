#include "libpeer/control/client.h"

#include <grp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "libpeer/control/client_events.h"

namespace peer::control {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;
using Json = Client::Json;

std::unexpected<CallFailure> no_daemon(std::string message) {
  return std::unexpected(CallFailure{CallFailure::Kind::no_daemon, "no_daemon", std::move(message), false});
}

std::string not_allowed(const std::string& path) {
  struct stat info{};
  const group* owners = stat(path.c_str(), &info) == 0 ? getgrgid(info.st_gid) : nullptr;
  const std::string name = owners != nullptr ? std::string("the group ") + owners->gr_name : "the group that owns it";
  return "no permission to use " + path + ": join " + name + " and log in again, or run peerctl as root";
}

int remaining(const std::optional<SteadyTime>& until) {
  if (!until) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - std::chrono::steady_clock::now());
  return left.count() > 0 ? static_cast<int>(left.count()) : 0;
}

}  // namespace

struct Client::State {
  int fd = -1;
  int interrupt = -1;
  std::string path;
  std::string input;
  std::size_t scanned = 0;
  std::uint64_t next_id = 1;
  std::deque<Json> events;
  std::function<void(const Json&)> receive;
  std::string reason;       ///< why the daemon stopped, if an event reported it
  bool called = false;      ///< a call was made on this connection
  bool subscribed = false;  ///< by the caller, who then receives the events

  ~State() {
    if (fd >= 0) close(fd);
  }

  /// Waits until the socket is ready. Returns false at the time `until`.
  std::expected<bool, CallFailure> wait(short events_wanted, const std::optional<SteadyTime>& until) const {
    pollfd descriptors[2] = {{fd, events_wanted, 0}, {interrupt, POLLIN, 0}};
    for (;;) {
      const int ready = poll(descriptors, 2, remaining(until));
      if (ready < 0 && errno == EINTR) continue;
      if (ready < 0) return no_daemon(std::string("poll: ") + std::strerror(errno));
      if (descriptors[1].revents != 0) {
        return std::unexpected(CallFailure{CallFailure::Kind::interrupted, "interrupted", "interrupted", false});
      }
      return ready > 0;
    }
  }

  /// Returns the next message, or nothing at the time `until`.
  std::expected<std::optional<Json>, CallFailure> read(const std::optional<SteadyTime>& until) {
    for (;;) {
      if (const std::size_t end = input.find('\n', scanned); end != std::string::npos) {
        Json json = Json::parse(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
        input.erase(0, end + 1);
        scanned = 0;
        if (!json.is_object())
          return no_daemon("the program that answers at \"" + path +
                           "\" is not peerd: name another socket with --socket");
        note_failure(json);
        return json;
      }
      scanned = input.size();
      const auto ready = wait(POLLIN, until);
      if (!ready) return std::unexpected(ready.error());
      if (!*ready) return std::nullopt;
      char chunk[64 << 10];
      const ssize_t count = recv(fd, chunk, sizeof chunk, MSG_DONTWAIT);
      if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (count <= 0) return stopped();
      input.append(chunk, static_cast<std::size_t>(count));
    }
  }

  std::expected<void, CallFailure> write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t count = send(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count >= 0) {
        text.remove_prefix(static_cast<std::size_t>(count));
      } else if (errno == EAGAIN) {
        if (const auto ready = wait(POLLOUT, std::nullopt); !ready) return std::unexpected(ready.error());
      } else if (errno != EINTR) {
        return stopped();
      }
    }
    return {};
  }

  /// A request as one line.
  static std::string request(std::string_view method, const Json& params, std::uint64_t id) {
    Json request{{"jsonrpc", "2.0"}, {"id", id}, {"method", method}};
    if (!params.is_null()) request["params"] = params;
    return request.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }

  /// Stores the reason if the message reports that the daemon fails.
  void note_failure(const Json& message) {
    const auto params = message.find("params");
    if (params == message.end() || !params->is_object()) return;
    const std::string event = params->value("event", "");
    if (event == "RuntimeFailed") reason = stop_reason(params->value("component", ""), params->value("error", ""));
  }

  std::unexpected<CallFailure> stopped() const { return no_daemon(reason.empty() ? kStopped : reason); }
};

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

std::expected<Client, CallFailure> Client::connect(const std::string& path, int interrupt) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return no_daemon("the socket's path is too long: \"" + path + "\"");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  auto state = std::make_unique<State>();
  state->interrupt = interrupt;
  state->path = path;
  state->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (state->fd < 0) return no_daemon(std::string("socket: ") + std::strerror(errno));
  int rc;
  do {
    rc = ::connect(state->fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } while (rc != 0 && errno == EINTR);
  if (rc != 0) {
    const int error = errno;
    if (error == EACCES) return no_daemon(not_allowed(path));
    return no_daemon("no daemon answers at " + path + " (" + std::strerror(error) +
                     "): start peerd ('systemctl status peerd' shows the service), or name its socket with --socket");
  }
  return Client(std::move(state));
}

std::expected<Json, CallFailure> Client::call(std::string_view method, const Json& params) {
  std::string lines;
  state_->subscribed = state_->subscribed || method.starts_with("events.");
  if (!std::exchange(state_->called, true) && !state_->subscribed) {
    // A daemon that fails may end before it answers; the event reports why. Both requests are sent in one write, so
    // that the daemon receives either both or none.
    lines = State::request("events.subscribe", {{"only", {"RuntimeFailed"}}}, state_->next_id++);
  }
  const std::uint64_t id = state_->next_id++;
  lines += State::request(method, params, id);
  // If writing fails, the daemon may have refused the connection; its reason can still be read.
  const auto written = state_->write(lines);
  if (!written && written.error().kind == CallFailure::Kind::interrupted) return std::unexpected(written.error());
  for (;;) {
    auto message = state_->read(std::nullopt);
    if (!message) return std::unexpected(message.error());
    Json& json = **message;
    if (json.contains("method")) {
      Json event = json.value("params", Json::object());
      if (!state_->subscribed) continue;
      if (state_->receive) {
        state_->receive(event);
      } else {
        state_->events.push_back(std::move(event));
      }
      continue;
    }
    const Json answered = json.value("id", Json());
    if (!answered.is_null() && answered != id) continue;
    if (!json.contains("error")) return json.value("result", Json());
    const Json& error = json["error"];
    CallFailure failure{CallFailure::Kind::refused, "invalid",
                        error.value("message", "the daemon refused the call without a reason"), false};
    if (const auto data = error.find("data"); data != error.end() && data->is_object()) {
      failure.code = data->value("code", failure.code);
      failure.not_taken = failure.code == "busy";
      if (data->value("stopping", false)) {
        failure.kind = CallFailure::Kind::no_daemon;
        failure.code = "no_daemon";
      }
    }
    return std::unexpected(std::move(failure));
  }
}

void Client::on_event(std::function<void(const Json&)> receive) { state_->receive = std::move(receive); }

void Client::forget_events() { state_->events.clear(); }

std::expected<std::optional<Json>, CallFailure> Client::next_event(Milliseconds limit) {
  const SteadyTime until = std::chrono::steady_clock::now() + limit;
  for (;;) {
    if (!state_->events.empty()) {
      Json event = std::move(state_->events.front());
      state_->events.pop_front();
      return event;
    }
    auto message = state_->read(until);
    if (!message) return std::unexpected(message.error());
    if (!*message) return std::nullopt;
    if ((*message)->contains("method") && state_->subscribed)
      state_->events.push_back((*message)->value("params", Json::object()));
  }
}

}  // namespace peer::control
