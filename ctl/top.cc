// top: a thread asks the daemon, the main thread draws and takes keys, so that a daemon that hangs keeps nobody from
// leaving.
#include "ctl/text/top.h"

#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "ctl/screen.h"
#include "ctl/session.h"

namespace peer::ctl {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kPause(1000);
constexpr milliseconds kRetry(300);
constexpr std::chrono::seconds kSilence(3);

/// Of a counter, from one look to the next.
class Rate {
 public:
  double next(double value, double seconds) {
    const double rate = known_ && value >= last_ && seconds > 0 ? (value - last_) / seconds : 0;
    known_ = true;
    last_ = value;
    return rate;
  }

 private:
  double last_ = 0;
  bool known_ = false;
};

/// The value of a sample in Prometheus's text; 0 if there is none.
double sample(const std::string& metrics, const std::string& name) {
  const std::size_t found = metrics.find("\n" + name + " ");
  return found == std::string::npos ? 0 : std::strtod(metrics.c_str() + found + name.size() + 2, nullptr);
}

/// Of a family: all of its samples together.
double total(const std::string& metrics, const std::string& name) {
  double sum = 0;
  for (std::size_t at = metrics.find("\n" + name + "{"); at != std::string::npos;
       at = metrics.find("\n" + name + "{", at + 1)) {
    const std::size_t value = metrics.find("} ", at);
    if (value != std::string::npos) sum += std::strtod(metrics.c_str() + value + 2, nullptr);
  }
  return sum;
}

/// Asks once a second, over restarts of the daemon. On a thread of its own, which alone uses the session.
class Observer {
 public:
  explicit Observer(Session& session) : session_(session) {}

  std::expected<void, CallFailure> look() {
    auto status = session_.call("status");
    if (!status) return std::unexpected(status.error());
    auto downloads = session_.call("downloads.list");
    if (!downloads) return std::unexpected(downloads.error());
    auto peers = session_.call("peers.list");
    if (!peers) return std::unexpected(peers.error());
    auto metrics = session_.call("metrics");
    if (!metrics) return std::unexpected(metrics.error());
    TopState state;
    take_status(state, *status);
    for (const Json& each : downloads->at("downloads")) take_download(state, each);
    take_peers(state, peers->at("peers"), metrics->at("text"));
    publish(std::move(state));
    return {};
  }

  void run() {
    for (bool connected = true;;) {
      if (session_.sleep(connected ? kPause : kRetry)) return;
      const auto seen = look();
      const bool was_connected = std::exchange(connected, seen.has_value());
      if (connected) continue;
      if (seen.error().kind == CallFailure::Kind::interrupted) return;
      session_.disconnect();
      if (was_connected) tell(seen.error().message + "; waiting for the daemon to come back");
    }
  }

  TopState state() const {
    const std::lock_guard lock(mutex_);
    TopState state = state_;
    if (state.trouble.empty() && SteadyClock::now() - seen_ > kSilence) state.trouble = "the daemon does not answer";
    return state;
  }

 private:
  void take_status(TopState& state, const Json& status) {
    // Another run counts from 0.
    if (status.at("instance") != instance_) {
      in_.clear();
      out_ = {};
    }
    instance_ = status.at("instance");
    state.name = status.at("name");
    state.version = status.at("version");
    state.uptime_s = status.at("uptime_s");
    state.games = status.at("games");
    for (const Json& each : status.at("services")) {
      state.services.push_back({each.at("name"), each.at("state"), each.value("problem", "")});
    }
  }

  static void take_download(TopState& state, const Json& entry) {
    Progress progress = progress_of(entry);
    const bool over = progress.state == "finished" || progress.state == "cancelled";
    if (progress.state == "downloading") state.rate_in += progress.rate;
    if (!over) state.downloads.push_back(std::move(progress));
  }

  void take_peers(TopState& state, const Json& peers, const std::string& metrics) {
    const SteadyClock::time_point now = SteadyClock::now();
    const double seconds = std::chrono::duration<double>(now - seen_).count();
    for (const Json& each : peers) {
      TopPeer peer{each.value("name", ""), each.at("state"), ""};
      const std::string id = each.at("peer_id").is_string() ? each.at("peer_id").get<std::string>() : "";
      if (!each.at("addresses").empty()) peer.address = each.at("addresses")[0];
      if (peer.name.empty()) peer.name = id.empty() ? peer.address : id.substr(0, 12);
      if (each.at("rtt_ms").is_number()) peer.rtt_ms = each.at("rtt_ms");
      peer.games = each.at("games");
      if (!id.empty()) {
        peer.rate = in_[id].next(sample(metrics, "peerd_received_bytes_total{peer_id=\"" + id + "\"}"), seconds);
      }
      state.peers.push_back(std::move(peer));
    }
    state.rate_out = out_.next(total(metrics, "peerd_sent_bytes_total"), seconds);
  }

  void publish(TopState state) {
    const std::lock_guard lock(mutex_);
    state_ = std::move(state);
    seen_ = SteadyClock::now();
  }

  void tell(const std::string& trouble) {
    const std::lock_guard lock(mutex_);
    state_.trouble = trouble;
    state_.rate_in = state_.rate_out = 0;
  }

  Session& session_;
  Json instance_;
  std::map<std::string, Rate> in_;
  Rate out_;
  mutable std::mutex mutex_;
  TopState state_;
  SteadyClock::time_point seen_ = SteadyClock::now();
};

void move(TopView& view, const TopState& state, Key key, std::size_t height) {
  const std::size_t last = last_scroll(state, height);
  const std::size_t page = height > 4 ? height - 4 : 1;
  view.scroll = std::min(view.scroll, last);
  switch (key) {
    case Key::up: view.scroll -= std::min<std::size_t>(view.scroll, 1); break;
    case Key::down: view.scroll += 1; break;
    case Key::page_up: view.scroll -= std::min(view.scroll, page); break;
    case Key::page_down: view.scroll += page; break;
    case Key::home: view.scroll = 0; break;
    case Key::end: view.scroll = last; break;
    case Key::left: view.order = next_order(view.order, -1); break;
    case Key::right: view.order = next_order(view.order, 1); break;
    default: break;
  }
  view.scroll = std::min(view.scroll, last);
}

/// Until q or a signal.
void show(Screen& screen, const Observer& observer, int interrupt) {
  TopView view;
  for (;;) {
    const TopState state = observer.state();
    const auto [width, height] = screen.size();
    screen.draw(draw_top(state, view, width, height));
    pollfd descriptors[2] = {{STDIN_FILENO, POLLIN, 0}, {interrupt, POLLIN, 0}};
    poll(descriptors, 2, static_cast<int>(kPause.count()) / 4);
    if (descriptors[1].revents != 0 || (descriptors[0].revents & (POLLHUP | POLLERR)) != 0) return;
    for (Key key = screen.key(); key != Key::none; key = screen.key()) {
      if (key == Key::quit) return;
      move(view, state, key, height);
    }
  }
}

/// Asks on a thread of its own as long as it lives. Signals are the main thread's.
class Asking {
 public:
  explicit Asking(Observer& observer) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([&observer] { observer.run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  ~Asking() {
    Session::interrupt();
    thread_.join();
  }
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;

 private:
  std::thread thread_;
};

}  // namespace

int run_top(Session& session) {
  if (session.arguments.json) {
    return session.fail("invalid", "top is for people; 'peerctl metrics' and 'peerctl events' are for programs");
  }
  if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0) {
    return session.fail("invalid", "top needs a terminal; 'peerctl downloads' and 'peerctl peers' do without");
  }
  session.catch_interrupts(true);
  session.let_sleep();
  Observer observer(session);
  if (const auto seen = observer.look(); !seen) return session.fail(seen.error());
  Screen screen(session.page().colour);
  if (!screen.works()) return session.fail("invalid", "top cannot draw on this terminal: is TERM right?");
  const Asking asking(observer);
  show(screen, observer, session.interrupt_descriptor());
  return kDone;
}

}  // namespace peer::ctl
