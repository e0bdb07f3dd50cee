// A disk that is full, failing, read-only or out of reach: the one download that met it pauses by itself, says so, and
// is tried again until the cause is gone.
#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "libpeer/downloads/downloads_state.h"
#include "libpeer/runtime/sleep.h"

namespace peer::downloads {

using namespace std::chrono_literals;

namespace {
constexpr runtime::Duration kFirstPause = 2s;
constexpr runtime::Duration kLongestPause = 30s;
/// Trouble that comes after so long a time of quiet is new.
constexpr runtime::Duration kQuiet = 60s;

/// What no patience helps against: the names, the links or the file system itself.
constexpr std::array kLasting{EEXIST, ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG, EFBIG, EINVAL, EXDEV, ENOTEMPTY, EMLINK};

bool may_pass(const Error& error) {
  if (error.code == ErrorCode::no_space) return true;
  return error.code == ErrorCode::disk_error && std::ranges::find(kLasting, error.system) == kLasting.end();
}

runtime::Duration pause_before(unsigned tries) {
  runtime::Duration pause = kFirstPause;
  for (unsigned i = 1; i < tries && pause < kLongestPause; ++i) pause *= 2;
  return std::min(pause, kLongestPause);
}
}  // namespace

/// False: it is no trouble that may pass, or nothing has begun and it does not fit: whoever asked decides.
bool Downloads::take_trouble(Active& active, const Error& error) {
  if (!may_pass(error)) return false;
  if (error.code == ErrorCode::no_space && !active.staged && !active.patient) return false;
  const runtime::TimePoint now = scope_.executor().now();
  if (now - active.trouble_at > kQuiet) active.tries = 0;
  const bool news = !active.trouble || active.trouble->message != error.message;
  ++active.tries;
  active.trouble = error;
  active.trouble_at = now;
  active.trouble_bytes = std::max(active.trouble_bytes, active.download->progress().bytes_done);
  active.patient = true;  // peers may come and go meanwhile
  if (news) {
    log_.game(active.game).warn("download of " + active.game + " pauses until this is over: " + error.message);
    tell(active, api::DownloadEvent::Kind::progress);
  }
  return true;
}

runtime::Task<void> Downloads::wait_out_trouble(Active& active, runtime::CancellationToken token) {
  const runtime::TimePoint until = active.trouble_at + pause_before(active.tries);
  while (!std::exchange(active.try_now, false)) {
    const runtime::TimePoint now = scope_.executor().now();
    if (now >= until) co_return;
    runtime::Deadline deadline(scope_.executor(), until - now, token);
    active.changed.reset();
    try {
      co_await active.changed.wait(deadline.token());
    } catch (const runtime::Cancelled&) {
      if (token.requested()) throw;
    }
  }
}

/// More lies on the disk than when the trouble was met: it is over.
void Downloads::note_progress(Active& active) {
  if (!active.download) return;
  const transfer::Progress progress = active.download->progress();
  active.staged = active.staged || progress.bytes_done > 0;
  if (!active.trouble || progress.bytes_done <= active.trouble_bytes) return;
  active.trouble.reset();
  log_.game(active.game).info("download of " + active.game + " goes on");
}

}  // namespace peer::downloads
