#include "libpeer/downloads/records.h"

#include <algorithm>
#include <utility>

#include "libpeer/downloads/stored_options.h"

namespace peer::downloads {

namespace {
constexpr runtime::Duration kSaveInterval = std::chrono::seconds(1);
}

runtime::Task<void> DownloadRecords::save(std::shared_ptr<DownloadEntry> entry, runtime::CancellationToken token) {
  if (entry->status.over || entry->status.ending) co_return;
  const runtime::TimePoint now = executor_.now();
  entry->saved = {entry->received(), entry->reused(), now};
  store::StoredDownload row;
  row.game = entry->game();
  row.version = entry->request.version_known ? entry->request.version : Digest{};
  row.options = format_options(*entry, now);
  row.position = static_cast<std::int64_t>(entry->place.position);
  row.paused = entry->paused;
  row.received = entry->saved.received;
  row.elapsed_ms = std::chrono::duration_cast<std::chrono::milliseconds>(entry->elapsed(now)).count();
  row.timed = entry->timed();
  auto put = [store = &store_, row = std::move(row)](const runtime::StopFlag&) { return store->put_download(row); };
  const Result<void> saved = co_await runtime::offload(store_thread_, std::move(put), token);
  if (!saved) log_.warn("cannot save the list of downloads: " + saved.error().message);
}

bool DownloadRecords::save_due(const DownloadEntry& entry) const {
  if (executor_.now() - entry.saved.at < kSaveInterval) return false;
  return entry.received() != entry.saved.received || entry.reused() != entry.saved.reused;
}

runtime::Task<bool> DownloadRecords::remove(std::string game, bool log_failure) {
  auto remove = [store = &store_, game = std::move(game)](const runtime::StopFlag&) {
    return store->remove_download(game);
  };
  const runtime::CancellationToken never;
  const Result<void> removed = co_await runtime::offload(store_thread_, std::move(remove), never);
  if (!removed && log_failure) log_.warn("cannot save the list of downloads: " + removed.error().message);
  co_return removed.has_value();
}

runtime::Task<std::vector<std::shared_ptr<DownloadEntry>>> DownloadRecords::load(runtime::Scope& scope,
                                                                                 runtime::CancellationToken token) {
  std::vector<std::shared_ptr<DownloadEntry>> entries;
  auto load = [store = &store_](const runtime::StopFlag&) { return store->downloads(); };
  const auto rows = co_await runtime::offload(store_thread_, std::move(load), token);
  token.throw_if_requested();
  if (!rows) {
    log_.warn("cannot read the downloads of the last run: " + rows.error().message);
    co_return entries;
  }
  const runtime::TimePoint now = executor_.now();
  for (const store::StoredDownload& row : *rows) {
    auto entry = std::make_shared<DownloadEntry>(scope.token());
    DownloadRequest& request = entry->request;
    request.game = row.game;
    request.version = row.version;
    request.version_known = request.pinned = row.version != Digest{};
    parse_options(row.options, *entry, now);
    entry->update_patience();
    entry->paused = row.paused;
    if (row.paused) entry->wait.hold(now);
    entry->figures.received_before = entry->saved.received = row.received;
    entry->figures.elapsed_before = std::chrono::milliseconds(std::max<std::int64_t>(row.elapsed_ms, 0));
    entry->figures.timed_before = row.timed;
    entries.push_back(std::move(entry));
  }
  co_return entries;
}

}  // namespace peer::downloads
