#include "ctl/follow_download.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "ctl/terminal.h"
#include "ctl/text/format.h"

namespace peer::ctl {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// Shows the state of a download: with --json one line per change; on a terminal one line that is redrawn; in a file or
/// pipe a line from time to time.
class DownloadDisplay {
 public:
  explicit DownloadDisplay(Invocation& invocation) : invocation_(invocation), terminal_(isatty(STDERR_FILENO) != 0) {}

  void show(const Json& entry) {
    if (invocation_.arguments.json) {
      if (entry != last_) invocation_.print_json(entry);
      last_ = entry;
      return;
    }
    if (invocation_.arguments.quiet || is_over(entry.at("state").get<std::string>())) return;
    if (terminal_) {
      // Leave the last column empty: some terminals wrap when it is written.
      const std::size_t width = page_of(STDERR_FILENO).width - 1;
      std::fprintf(stderr, "\r%s\x1b[K", progress_line(progress_of(entry), width).c_str());
      drawn_ = true;
    } else {
      write_line(progress_of(entry));
    }
  }
  /// Erases the progress line, so that other output can follow.
  void erase() {
    if (drawn_) std::fputs("\r\x1b[K", stderr);
    drawn_ = false;
  }

 private:
  /// Writes a line at each change of state, and every 10 % or 10 s (60 s while paused), at most once per second.
  void write_line(const Progress& progress) {
    const SteadyClock::duration since = SteadyClock::now() - last_line_;
    const int tenth = progress.total > 0 ? static_cast<int>(progress.done / progress.total * 10) : 0;
    const bool moved = tenth != tenth_ && since >= std::chrono::seconds(1);
    const bool waited = since >= std::chrono::seconds(progress.state == "paused" ? 60 : 10);
    if (!moved && !waited && progress.state == state_) return;
    std::fprintf(stderr, "%s\n", progress_line(progress, kUnlimitedWidth).c_str());
    last_line_ = SteadyClock::now();
    tenth_ = tenth;
    state_ = progress.state;
  }

  static constexpr std::size_t kUnlimitedWidth = 1000;

  Invocation& invocation_;
  const bool terminal_;
  bool drawn_ = false;
  Json last_;
  std::string state_;
  int tenth_ = 0;
  SteadyClock::time_point last_line_{};
};

class DownloadFollower {
 public:
  DownloadFollower(Invocation& invocation, Json entry)
      : invocation_(invocation), display_(invocation), entry_(std::move(entry)) {}

  int run() {
    display_.show(entry_);
    while (!is_over(state())) {
      if (const auto failure = step()) {
        display_.erase();
        return failure->kind == CallFailure::Kind::interrupted ? detach() : invocation_.fail(*failure);
      }
      display_.show(entry_);
    }
    display_.erase();
    return state() == "finished" ? report_success() : report_failure();
  }

 private:
  std::string state() const { return entry_.at("state").get<std::string>(); }

  /// Waits up to 250 ms for an update. Returns the failure that makes further waiting useless, if there is one.
  std::optional<CallFailure> step() {
    auto event = invocation_.client().next_event(milliseconds(250));
    if (!event) return event.error();
    if (*event && (*event)->value("event", "") == "overflow") {
      if (auto subscribed = subscribe_to_downloads(invocation_); !subscribed) return subscribed.error();
    } else if (*event && (*event)->value("game", "") == invocation_.arguments.subject) {
      apply_event(**event);
      return std::nullopt;
    }
    // Poll for what events do not report: elapsed time, and an end that was missed.
    const SteadyClock::time_point now = SteadyClock::now();
    if (now < next_poll_) return std::nullopt;
    next_poll_ = now + std::chrono::seconds(1);
    auto list = invocation_.call("downloads.list");
    if (!list) {
      const bool retry_later = list.error().code == "busy";
      return retry_later ? std::nullopt : std::optional(list.error());
    }
    for (Json& download : list->at("downloads")) {
      if (download.at("game") == invocation_.arguments.subject) entry_ = std::move(download);
    }
    return std::nullopt;
  }

  void apply_event(Json& event) {
    for (const char* name : {"seq", "time", "event"}) event.erase(name);
    entry_ = std::move(event);
    next_poll_ = SteadyClock::now() + std::chrono::seconds(1);
  }

  int detach() const {
    const std::string game = shell_word(invocation_.arguments.subject);
    const std::string next = is_paused_by_user(entry_) ? "the download stays paused; to continue it: peerctl resume "
                                                       : "the download continues; to follow it: peerctl download ";
    std::fprintf(stderr, "peerctl: detached; %s%s; to end it: peerctl cancel %s\n", next.c_str(), game.c_str(),
                 game.c_str());
    return kInterrupted;
  }

  int report_success() const {
    if (invocation_.arguments.json || invocation_.arguments.quiet) return kDone;
    const Progress progress = progress_of(entry_);
    const double received = entry_.at("bytes_received");
    const double seconds = entry_.at("elapsed_s");
    std::string text = printable(progress.game) + ": finished, " + human_bytes(progress.total) + ", version " +
                       short_version(entry_.at("version"), "?");
    if (received > 0) text += "; received " + human_bytes(received) + " in " + human_seconds(seconds);
    // received / seconds would be wrong for a download that version 0.1.0 began: that version stored no elapsed time.
    const auto rate = entry_.find("average_rate");
    if (received > 0 && rate != entry_.end() && rate->is_number()) text += ", " + human_rate(rate->get<double>());
    invocation_.print_text(text);
    return kDone;
  }

  int report_failure() const {
    const std::string end = state();
    const Progress progress = progress_of(entry_);
    if (!invocation_.arguments.json) {
      std::string reason = progress.error.empty() ? end : printable(progress.error);
      if (end == "peers_gone") reason = peers_gone_reason(progress.game);
      std::fprintf(stderr, "peerctl: %s: %s\n", printable(progress.game).c_str(), reason.c_str());
    }
    if (end == "failed" && entry_.at("error").is_object()) {
      const std::string code = entry_.at("error").value("code", "");
      if (code == "refused" || code == "no_space" || code == "no_peer_has_it") return exit_code(code);
    }
    return end == "cancelled" ? kCancelled : end == "peers_gone" ? kPeersGone : kFailed;
  }

  std::string peers_gone_reason(const std::string& name) const {
    const std::string game = shell_word(name);
    if (!invocation_.arguments.download.wait_s) {
      return "all peers with the game went away; to wait for one: peerctl download " + game + " --wait 1h";
    }
    return "all peers with the game went away, and none came back in time; to continue when one does: peerctl resume " +
           game;
  }

  Invocation& invocation_;
  DownloadDisplay display_;
  Json entry_;
  SteadyClock::time_point next_poll_{};
};

}  // namespace

std::expected<void, CallFailure> subscribe_to_downloads(Invocation& invocation) {
  const Json only{"DownloadGameFilesBegin",
                  "DownloadGameFilesProgress",
                  "DownloadGameFilesFinished",
                  "DownloadGameFilesFailed",
                  "DownloadGameFilesCancelled",
                  "DownloadGameFilesAllPeersGone",
                  "RuntimeFailed"};
  auto subscribed = invocation.call("events.subscribe", {{"only", only}});
  if (!subscribed) return std::unexpected(subscribed.error());
  return {};
}

bool is_paused_by_user(const Json& entry) { return entry.at("state") == "paused" && !entry.at("error").is_object(); }

int follow_download(Invocation& invocation, Json entry) { return DownloadFollower(invocation, std::move(entry)).run(); }

}  // namespace peer::ctl
