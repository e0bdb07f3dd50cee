#include "libpeer/downloads/table.h"

#include <algorithm>
#include <utility>

#include "libpeer/protocol/path.h"

namespace peer::downloads {

namespace {
bool ended_early(const api::DownloadInfo& past) {
  return past.state == api::DownloadState::failed || past.state == api::DownloadState::peers_gone;
}
}  // namespace

PastDownload::PastDownload(api::DownloadInfo info, const DownloadRequest& request)
    : api::DownloadInfo(std::move(info)),
      version_prefix(request.version_prefix),
      repair(request.repair),
      automatic(request.automatic) {}

void DownloadTable::add(EntryPtr entry) {
  entry->place.position = next_position_++;
  std::string game = entry->game();
  active_.emplace(std::move(game), std::move(entry));
}

DownloadTable::EntryPtr DownloadTable::find(const std::string& game) const {
  const auto found = active_.find(game);
  return found == active_.end() ? nullptr : found->second;
}

std::vector<DownloadTable::EntryPtr> DownloadTable::in_order() const {
  std::vector<EntryPtr> ordered;
  ordered.reserve(active_.size());
  for (const auto& [game, entry] : active_) ordered.push_back(entry);
  std::ranges::sort(ordered, {}, [](const auto& entry) { return entry->place.position; });
  return ordered;
}

std::vector<DownloadTable::EntryPtr> DownloadTable::move(const EntryPtr& entry, std::uint64_t position) {
  std::vector<EntryPtr> order = in_order();
  std::erase(order, entry);
  const auto index = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(position - 1, order.size()));
  order.insert(order.begin() + index, entry);
  std::vector<EntryPtr> moved;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (std::exchange(order[i]->place.position, i + 1) != i + 1) moved.push_back(order[i]);
  }
  next_position_ = order.size() + 1;
  return moved;
}

Result<DownloadTable::EntryPtr> DownloadTable::under_way(const std::string& game) const {
  if (EntryPtr entry = find(game)) return entry;
  const std::string name = "\"" + protocol::printable(game) + "\"";
  const PastDownload* ended = past(game);
  if (ended == nullptr) {
    return fail(ErrorCode::not_found, "no download of " + name + " is under way: 'peerctl downloads' lists them");
  }
  switch (ended->state) {
    case api::DownloadState::finished:
      return fail(ErrorCode::not_found, "the download of " + name + " has finished already");
    case api::DownloadState::cancelled:
      return fail(ErrorCode::not_found, "the download of " + name +
                                            " was cancelled and its data deleted: 'peerctl download' starts it again");
    default:
      return fail(ErrorCode::not_found, "the download of " + name +
                                            " has ended, and its data is kept: 'peerctl resume' continues it, "
                                            "'peerctl cancel' deletes it");
  }
}

Result<DownloadTable::EntryPtr> DownloadTable::revive(const std::string& game,
                                                      const runtime::CancellationToken& parent) const {
  const PastDownload* ended = past(game);
  if (ended == nullptr || !ended_early(*ended)) return under_way(game);  // its error says why not
  auto entry = std::make_shared<DownloadEntry>(parent);
  DownloadRequest& request = entry->request;
  request.game = game;
  request.version = ended->version;
  request.version_known = request.pinned = ended->version != Digest{};
  request.version_prefix = ended->version_prefix;
  request.repair = ended->repair;
  request.automatic = ended->automatic;
  request.from.insert(ended->from.begin(), ended->from.end());
  request.size = ended->bytes_total;
  entry->update_patience();
  entry->figures.progress.bytes_total = ended->bytes_total;
  entry->figures.progress.bytes_done = ended->bytes_done;
  inherit_figures(*entry);
  entry->saved.received = entry->figures.received_before;
  return entry;
}

void DownloadTable::inherit_figures(DownloadEntry& entry) const {
  const PastDownload* ended = past(entry.game());
  if (ended == nullptr || !ended_early(*ended)) return;
  if (!entry.request.version_known || ended->version != entry.request.version) return;
  DownloadFigures& figures = entry.figures;
  figures.progress.bytes_reused = ended->bytes_reused;
  figures.received_before = ended->bytes_received;
  figures.timed_before = ended->bytes_timed;
  figures.elapsed_before =
      std::chrono::duration_cast<runtime::Duration>(std::chrono::duration<double>(ended->elapsed_s));
  for (const api::SourceBytes& source : ended->sources) figures.sources_before[source.id] = source.bytes;
}

void DownloadTable::add_past(PastDownload past) {
  past.sequence = ++ended_;
  std::string game = past.game;
  if (!past_.contains(game) && past_.size() >= kMaxPast) {
    past_.erase(std::ranges::min_element(past_, {}, [](const auto& entry) { return entry.second.sequence; }));
  }
  past_.insert_or_assign(std::move(game), std::move(past));
}

const PastDownload* DownloadTable::past(const std::string& game) const {
  const auto found = past_.find(game);
  return found == past_.end() ? nullptr : &found->second;
}

}  // namespace peer::downloads
