#include "libpeer/sessions/library_sync.h"

namespace peer::sessions {

bool LibrarySync::set_own(const std::vector<protocol::GameSummary>& games) {
  if (!own_.set(games)) return false;
  for (auto& [id, session] : registry_.all()) {
    if (session.greeted) send_updates(id, session, session.announced);
  }
  return true;
}

void LibrarySync::send_updates(SessionId id, Session& session, std::uint64_t since) {
  for (protocol::LibraryUpdate& update : own_.updates_since(since)) registry_.send(id, session, std::move(update));
  session.announced = own_.revision();
}

void LibrarySync::begin(SessionId id, Session& session, PeerEntry& entry, const protocol::Hello& hello, bool restarted,
                        runtime::TimePoint now) {
  const bool had_games = !entry.library.games.empty();
  const bool up_to_date = entry.library.recall(hello, restarted);
  if (!had_games && !entry.library.games.empty()) registry_.push(CatalogueChanged{});
  if (!up_to_date) registry_.send(id, session, session.request_library(entry.library.revision, now));
  if (session.announced != own_.revision()) send_updates(id, session, session.announced);
}

void LibrarySync::on_request(SessionId id, Session& session, const protocol::LibraryRequest& request,
                             runtime::TimePoint now) {
  if (session.admit_library_request(now)) {
    send_updates(id, session, request.since);
    return;
  }
  log_.peer(session.peer.hex())
      .warn("session closed: " + session.remote.to_string() + " asks for the library too often");
  registry_.close(id);
}

void LibrarySync::on_update(SessionId id, Session& session, PeerEntry& entry, const protocol::LibraryUpdate& update,
                            runtime::TimePoint now) {
  const RemoteLibrary::Applied applied = entry.library.apply(update, digests_, now);
  registry_.push(LibraryReceived{id});
  log_.peer(entry.id.hex())
      .debug("library of " + entry.name + ": " + (update.base == 0 ? "snapshot" : "delta") + " to revision " +
             std::to_string(update.revision) + ", " + std::to_string(update.games.size()) + " games, " +
             std::to_string(update.removed.size()) + " removed");
  if (applied == RemoteLibrary::Applied::changed) registry_.push(CatalogueChanged{});
  if (applied == RemoteLibrary::Applied::gap && !session.requested_library_recently(now))
    registry_.send(id, session, session.request_library(0, now));
}

void LibrarySync::verify(runtime::TimePoint now) {
  for (auto& [id, entry] : table_.all()) {
    if (!entry.session || entry.library.verified()) continue;
    const bool gap = entry.library.verify(digests_, now) == RemoteLibrary::Applied::gap;
    Session* const session = gap ? registry_.find(*entry.session) : nullptr;
    if (session != nullptr && !session->requested_library_recently(now))
      registry_.send(*entry.session, *session, session->request_library(0, now));
  }
}

}  // namespace peer::sessions
