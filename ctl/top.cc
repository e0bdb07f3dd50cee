// top: one thread polls the daemon, the main thread draws and reads keys, so that 'q' works even if the daemon hangs.
#include "ctl/text/top.h"

#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "ctl/invocation.h"
#include "ctl/screen.h"

namespace peer::ctl {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kPollInterval(1000);
constexpr milliseconds kRetryInterval(300);
constexpr std::chrono::seconds kSilenceLimit(3);

/// The rate of a counter between two polls.
class CounterRate {
 public:
  double update(double value, double seconds) {
    const double rate = known_ && value >= last_ && seconds > 0 ? (value - last_) / seconds : 0;
    known_ = true;
    last_ = value;
    return rate;
  }

 private:
  double last_ = 0;
  bool known_ = false;
};

/// The value of a sample in Prometheus text format; 0 if it is missing.
double sample(const std::string& metrics, const std::string& name) {
  const std::size_t found = metrics.find("\n" + name + " ");
  return found == std::string::npos ? 0 : std::strtod(metrics.c_str() + found + name.size() + 2, nullptr);
}

/// The sum of all samples of a metric.
double total(const std::string& metrics, const std::string& name) {
  double sum = 0;
  for (std::size_t at = metrics.find("\n" + name + "{"); at != std::string::npos;
       at = metrics.find("\n" + name + "{", at + 1)) {
    const std::size_t value = metrics.find("} ", at);
    if (value != std::string::npos) sum += std::strtod(metrics.c_str() + value + 2, nullptr);
  }
  return sum;
}

/// Polls the daemon once per second, and reconnects when it restarts. Only the thread that calls run() uses the
/// invocation.
class DaemonPoller {
 public:
  explicit DaemonPoller(Invocation& invocation) : invocation_(invocation) {}

  std::expected<void, CallFailure> poll_daemon() {
    auto status = invocation_.call("status");
    if (!status) return std::unexpected(status.error());
    auto downloads = invocation_.call("downloads.list");
    if (!downloads) return std::unexpected(downloads.error());
    auto peers = invocation_.call("peers.list");
    if (!peers) return std::unexpected(peers.error());
    auto metrics = invocation_.call("metrics");
    if (!metrics) return std::unexpected(metrics.error());
    TopState state;
    add_status(state, *status);
    for (const Json& each : downloads->at("downloads")) add_download(state, each);
    add_peers(state, peers->at("peers"), metrics->at("text"));
    set_state(std::move(state));
    return {};
  }

  void run() {
    for (bool connected = true;;) {
      if (invocation_.sleep(connected ? kPollInterval : kRetryInterval)) return;
      const auto polled = poll_daemon();
      const bool was_connected = std::exchange(connected, polled.has_value());
      if (connected) continue;
      if (polled.error().kind == CallFailure::Kind::interrupted) return;
      invocation_.disconnect();
      if (was_connected) set_trouble(polled.error().message + "; waiting for the daemon to come back");
    }
  }

  TopState state() const {
    const std::lock_guard lock(mutex_);
    TopState state = state_;
    if (state.trouble.empty() && SteadyClock::now() - polled_at_ > kSilenceLimit)
      state.trouble = "the daemon does not answer";
    return state;
  }

 private:
  void add_status(TopState& state, const Json& status) {
    // A restarted daemon counts from 0 again.
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

  static void add_download(TopState& state, const Json& entry) {
    Progress progress = progress_of(entry);
    const bool over = progress.state == "finished" || progress.state == "cancelled";
    if (progress.state == "downloading") state.rate_in += progress.rate;
    if (!over) state.downloads.push_back(std::move(progress));
  }

  void add_peers(TopState& state, const Json& peers, const std::string& metrics) {
    const SteadyClock::time_point now = SteadyClock::now();
    const double seconds = std::chrono::duration<double>(now - polled_at_).count();
    for (const Json& each : peers) {
      TopPeer peer{each.value("name", ""), each.at("state"), ""};
      const std::string id = each.at("peer_id").is_string() ? each.at("peer_id").get<std::string>() : "";
      if (!each.at("addresses").empty()) peer.address = each.at("addresses")[0];
      if (peer.name.empty()) peer.name = id.empty() ? peer.address : id.substr(0, 12);
      if (each.at("rtt_ms").is_number()) peer.rtt_ms = each.at("rtt_ms");
      peer.games = each.at("games");
      if (!id.empty()) {
        peer.rate = in_[id].update(sample(metrics, "peerd_received_bytes_total{peer_id=\"" + id + "\"}"), seconds);
      }
      state.peers.push_back(std::move(peer));
    }
    state.rate_out = out_.update(total(metrics, "peerd_sent_bytes_total"), seconds);
  }

  void set_state(TopState state) {
    const std::lock_guard lock(mutex_);
    state_ = std::move(state);
    polled_at_ = SteadyClock::now();
  }

  void set_trouble(const std::string& trouble) {
    const std::lock_guard lock(mutex_);
    state_.trouble = trouble;
    state_.rate_in = state_.rate_out = 0;
  }

  Invocation& invocation_;
  Json instance_;
  std::map<std::string, CounterRate> in_;
  CounterRate out_;
  mutable std::mutex mutex_;
  TopState state_;
  SteadyClock::time_point polled_at_ = SteadyClock::now();
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

/// Draws until 'q' or a signal.
void show(Screen& screen, const DaemonPoller& poller, int interrupt) {
  TopView view;
  for (;;) {
    const TopState state = poller.state();
    const auto [width, height] = screen.size();
    screen.draw(draw_top(state, view, width, height));
    pollfd descriptors[2] = {{STDIN_FILENO, POLLIN, 0}, {interrupt, POLLIN, 0}};
    poll(descriptors, 2, static_cast<int>(kPollInterval.count()) / 4);
    if (descriptors[1].revents != 0 || (descriptors[0].revents & (POLLHUP | POLLERR)) != 0) return;
    for (Key key = screen.read_key(); key != Key::none; key = screen.read_key()) {
      if (key == Key::quit) return;
      move(view, state, key, height);
    }
  }
}

/// Runs the poller on a thread of its own. Signals are blocked there, so that the main thread receives them.
class PollerThread {
 public:
  explicit PollerThread(DaemonPoller& poller) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([&poller] { poller.run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  ~PollerThread() {
    Invocation::interrupt();
    thread_.join();
  }
  PollerThread(const PollerThread&) = delete;
  PollerThread& operator=(const PollerThread&) = delete;

 private:
  std::thread thread_;
};

}  // namespace

int run_top(Invocation& invocation) {
  if (invocation.arguments.json) {
    return invocation.fail("invalid", "top has no JSON output; use 'peerctl metrics' or 'peerctl events'");
  }
  if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0) {
    return invocation.fail("invalid", "top needs a terminal; use 'peerctl downloads' or 'peerctl peers'");
  }
  invocation.catch_interrupts(true);
  invocation.never_start_daemon();
  DaemonPoller poller(invocation);
  if (const auto polled = poller.poll_daemon(); !polled) return invocation.fail(polled.error());
  Screen screen(invocation.page().colour);
  if (!screen.is_usable()) return invocation.fail("invalid", "top cannot draw on this terminal: check TERM");
  const PollerThread thread(poller);
  show(screen, poller, invocation.interrupt_descriptor());
  return kDone;
}

}  // namespace peer::ctl
