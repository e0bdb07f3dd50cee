#include "libpeer/downloads/entry.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace peer::downloads {

void DownloadEntry::decide(api::DownloadEvent::Kind kind, std::optional<Error> error) {
  switch (kind) {
    case api::DownloadEvent::Kind::finished: status.state = api::DownloadState::finished; break;
    case api::DownloadEvent::Kind::cancelled: status.state = api::DownloadState::cancelled; break;
    case api::DownloadEvent::Kind::all_peers_gone: status.state = api::DownloadState::peers_gone; break;
    default: status.state = api::DownloadState::failed; break;
  }
  status.ending = kind;
  status.error = std::move(error);
  trouble.error.reset();
}

void DownloadEntry::end_attempt(runtime::TimePoint now) {
  if (!download) return;
  figures.elapsed_before = elapsed(now);
  figures.timed_before = timed();
  figures.received_before = received();
  transfer::Progress progress = download->progress();
  for (const auto& [id, bytes] : progress.sources) figures.sources_before[id] += bytes;
  if (progress.bytes_total != 0) figures.progress = std::move(progress);
  download.reset();
}

std::uint64_t DownloadEntry::received() const {
  if (!download) return figures.received_before;
  const transfer::Progress progress = download->progress();
  std::uint64_t bytes = figures.received_before;
  for (const auto& [id, received] : progress.sources) bytes += received;
  return std::max(bytes, progress.bytes_received);
}

std::uint64_t DownloadEntry::reused() const {
  if (download) {
    const transfer::Progress progress = download->progress();
    if (progress.bytes_total != 0) return progress.bytes_reused;
  }
  return figures.progress.bytes_reused;
}

std::uint64_t DownloadEntry::timed() const {
  std::uint64_t bytes = figures.timed_before;
  if (!download) return bytes;
  for (const auto& [id, received] : download->progress().sources) bytes += received;
  return bytes;
}

runtime::Duration DownloadEntry::elapsed(runtime::TimePoint now) const {
  if (!download) return figures.elapsed_before;
  return figures.elapsed_before + (now - figures.began);
}

api::DownloadInfo DownloadEntry::info(runtime::TimePoint now) const {
  const transfer::Progress current = download ? download->progress() : figures.progress;
  // Until the staging is open, the figures of the previous attempt are better.
  const transfer::Progress& progress = current.bytes_total != 0 ? current : figures.progress;
  api::DownloadInfo info;
  info.game = request.game;
  info.version = request.version;
  info.state = status.state;
  if (status.state == api::DownloadState::downloading && progress.phase == transfer::Phase::publishing) {
    info.state = api::DownloadState::verifying;
  }
  if (trouble.error) info.state = api::DownloadState::paused;
  info.bytes_total = progress.bytes_total != 0 ? progress.bytes_total : request.size;
  info.bytes_done = progress.bytes_done;
  info.bytes_reused = progress.bytes_reused;
  info.bytes_received = received();
  info.elapsed_s = std::chrono::duration<double>(elapsed(now)).count();
  info.bytes_timed = timed();
  if (info.state == api::DownloadState::downloading) {
    info.rate = progress.rate;
    info.eta_s = progress.eta_s;
    info.bottleneck = progress.bottleneck;
  }
  std::map<PeerId, std::uint64_t> sources = figures.sources_before;
  if (download) {
    for (const auto& [id, bytes] : current.sources) sources[id] += bytes;
  }
  for (const auto& [id, bytes] : sources) info.sources.push_back({id, bytes});
  // A download that a command paused does not continue when the trouble has ended.
  info.error = trouble.error && !paused ? trouble.error : status.error;
  info.from.assign(request.from.begin(), request.from.end());
  return info;
}

}  // namespace peer::downloads
