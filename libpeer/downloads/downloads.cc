#include "libpeer/downloads/downloads.h"

#include <algorithm>
#include <utility>

#include "libpeer/base/version_prefix.h"
#include "libpeer/downloads/attach.h"
#include "libpeer/downloads/dry_run.h"
#include "libpeer/protocol/path.h"

namespace peer::downloads {

Downloads::Downloads(runtime::Scope& parent, DownloadsOptions options)
    : scope_(parent, "downloads"),
      options_(std::move(options)),
      log_(options_.log.named("transfer")),
      chooser_(options_),
      records_(scope_.executor(), *options_.store, *options_.store_thread, log_),
      cleaner_(scope_, options_.context, log_),
      turns_(table_, options_.parallel),
      services_{scope_,
                options_,
                log_,
                table_,
                chooser_,
                records_,
                cleaner_,
                turns_,
                offers_changed_,
                stopping_,
                [this](DownloadEntry& entry, api::DownloadEvent::Kind kind) { emit(entry, kind); }},
      automatic_(
          scope_.executor(), options_, table_, chooser_,
          [this](const api::StartDownload& command) { return start(command); }, log_) {}

Downloads::~Downloads() = default;

void Downloads::emit(DownloadEntry& entry, api::DownloadEvent::Kind kind) {
  if (stopping_) return;
  options_.on_event(api::DownloadEvent{kind, info(entry)});
}

std::vector<api::DownloadInfo> Downloads::list() const {
  std::vector<api::DownloadInfo> all;
  for (const auto& entry : table_.in_order()) all.push_back(info(*entry));
  for (const auto& [game, past] : table_.past()) {
    if (!table_.contains(game)) all.push_back(past);
  }
  return all;
}

Result<api::DownloadInfo> Downloads::start(const api::StartDownload& command) {
  if (const auto problem = protocol::game_id_problem(command.game)) {
    return fail(ErrorCode::invalid, "\"" + protocol::printable(command.game) + "\" is not a game id: " + *problem);
  }
  if (command.version && !version_prefix(*command.version)) {
    return fail(ErrorCode::invalid, "a version is 64 hex digits or a unique prefix of 8 or more");
  }
  if (const EntryPtr running = table_.find(command.game)) {
    const Result<void> attached = attach(*running, command, *options_.table, scope_.executor().now());
    if (!attached) return std::unexpected(attached.error());
    automatic_.undismiss(command.game);
    return info(*running);
  }
  const Result<std::set<PeerId>> from = chooser_.resolve(command.from);
  if (!from) return std::unexpected(from.error());
  const Result<VersionChoice> choice = chooser_.choose(command.game, command.version, *from);
  const bool wait = command.wait && *command.wait > runtime::Duration::zero();
  const bool may_wait =
      wait && (choice || choice.error().code == ErrorCode::not_found || choice.error().code == ErrorCode::unavailable ||
               choice.error().code == ErrorCode::refused);
  if (!choice && !may_wait) return std::unexpected(choice.error());
  if (choice && choice->installed) {
    api::DownloadInfo done;
    done.game = command.game;
    done.version = choice->version;
    done.state = api::DownloadState::finished;
    done.bytes_total = done.bytes_done = done.bytes_reused = choice->size;
    return done;
  }
  EntryPtr entry = new_entry(command, *from, choice);
  table_.inherit_figures(*entry);
  table_.remove_past(command.game);
  automatic_.undismiss(command.game);
  enter(entry);
  return info(*entry);
}

Downloads::EntryPtr Downloads::new_entry(const api::StartDownload& command, const std::set<PeerId>& from,
                                         const Result<VersionChoice>& choice) {
  auto entry = std::make_shared<DownloadEntry>(scope_.token());
  DownloadRequest& request = entry->request;
  request.game = command.game;
  if (choice) {
    request.version = choice->version;
    request.version_known = true;
    request.size = choice->size;
    request.pinned = command.version.has_value();
  }
  request.from = from;
  for (const std::string& name : command.from) {
    if (const Result<PeerId> peer = options_.table->resolve(name)) request.from_typed.emplace(name, *peer);
  }
  request.version_prefix = command.version;
  if (command.wait && *command.wait > runtime::Duration::zero()) {
    entry->wait.bring(*command.wait, scope_.executor().now());
  }
  return entry;
}

void Downloads::enter(EntryPtr entry) {
  table_.add(entry);
  const runtime::CancellationToken token = entry->stop.token();
  std::string name = "download " + entry->game();
  scope_.spawn(std::move(name), DownloadTask::run(services_, std::move(entry), token));
}

runtime::Task<void> Downloads::save(std::string game, runtime::CancellationToken token) {
  if (const EntryPtr entry = table_.find(game)) co_await records_.save(entry, token);
}

runtime::Task<Result<api::DownloadInfo>> Downloads::plan(api::StartDownload command, runtime::CancellationToken token) {
  const double rate = expected_rate(table_, options_.context.down);
  return dry_run(scope_, options_, chooser_, rate, std::move(command), std::move(token));
}

void Downloads::removed(const std::string& game) {
  table_.remove_past(game);
  automatic_.dismiss(game);
  cleaner_.empty_trash();
}

void Downloads::reconfigure(std::size_t parallel, std::uint64_t reserve, std::vector<std::string> automatic) {
  options_.parallel = parallel;
  options_.context.reserve = reserve;
  options_.automatic = std::move(automatic);
  turns_.changed();
  automatic_.changed();
}

runtime::Task<void> Downloads::run_automatic(runtime::CancellationToken token) {
  return automatic_.run(stopping_, std::move(token));
}

runtime::Task<void> Downloads::restore(runtime::CancellationToken token) {
  cleaner_.empty_trash();
  std::vector<EntryPtr> entries = co_await records_.load(scope_, token);
  for (EntryPtr& entry : entries) {
    const std::string& game = entry->game();
    if (table_.contains(game)) continue;
    log_.game(game).info(
        "download of " + game +
        (entry->paused ? " stays paused: 'peerctl resume' continues it" : " continues when a peer with it appears"));
    enter(std::move(entry));
  }
}

void Downloads::sources_changed() {
  offers_changed_.set();
  automatic_.changed();
  for (const auto& [game, entry] : table_.all()) {
    if (entry->download) entry->download->sources_changed();
  }
}

runtime::Task<void> Downloads::stop() {
  stopping_ = true;
  scope_.request_stop();
  co_await scope_.join();
}

}  // namespace peer::downloads
