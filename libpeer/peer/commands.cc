// The commands of a running peer: what each answers.
#include <algorithm>
#include <utility>

#include "peer/runtime_state.h"
#include "protocol/path.h"

namespace peer::node {

namespace {
constexpr std::uint64_t kMaxShownFiles = 10'000;

/// Whoever asked is told, also when nobody can answer any more.
void refuse(Command& command) {
  std::visit([](auto& request) { request.reply(fail(ErrorCode::cancelled, "the daemon is stopping")); }, command);
}
Result<bool> acknowledged(const Result<void>& done) {
  if (!done) return std::unexpected(done.error());
  return true;
}
}  // namespace

rt::Task<void> PeerMain::run_commands(rt::Scope& work, rt::CancellationToken token) {
  std::exception_ptr failure;
  bool closed = false;
  try {
    for (;;) {
      std::optional<Command> command = co_await commands_.receive(token);
      closed = !command;
      if (closed) break;
      dispatch(std::move(*command), work);
    }
  } catch (...) {
    failure = std::current_exception();
  }
  commands_.close();
  while (std::optional<Command> late = commands_.try_receive()) refuse(*late);
  if (closed) fail_runtime("commands", "the command channel closed without a shutdown");
  if (failure) std::rethrow_exception(failure);
}

void PeerMain::dispatch(Command command, rt::Scope& work) {
  if (auto* get_status = std::get_if<Request<GetStatus>>(&command)) {
    get_status->reply(status());
  } else if (auto* list_games = std::get_if<Request<ListGames>>(&command)) {
    list_games->reply(games());
  } else if (auto* show = std::get_if<Request<ShowGame>>(&command)) {
    work.spawn("show " + show->command.game, show_game(std::move(*show), work.token()));
  } else if (auto* list_peers = std::get_if<Request<ListPeers>>(&command)) {
    list_peers->reply(peers_->list());
  } else if (auto* connect = std::get_if<Request<ConnectPeer>>(&command)) {
    work.spawn("connect " + connect->command.address, connect_peer(std::move(*connect), work.token()));
  } else if (auto* disconnect = std::get_if<Request<DisconnectPeer>>(&command)) {
    const Result<void> done = peers_->disconnect(disconnect->command.peer);
    disconnect->reply(acknowledged(done));
  } else if (auto* start = std::get_if<Request<StartDownload>>(&command)) {
    start->reply(downloads_->start(start->command));
  } else if (auto* list = std::get_if<Request<ListDownloads>>(&command)) {
    list->reply(downloads_->list());
  } else if (auto* cancel = std::get_if<Request<CancelDownload>>(&command)) {
    cancel->reply(downloads_->cancel(cancel->command.game));
  } else if (auto* scan = std::get_if<Request<Rescan>>(&command)) {
    work.spawn("rescan", rescan(std::move(*scan), work.token()));
  } else if (auto* tasks = std::get_if<Request<ListTasks>>(&command)) {
    work.spawn("list tasks", list_tasks(std::move(*tasks), work.token()));
  } else if (auto* shutdown = std::get_if<Request<Shutdown>>(&command)) {
    shutdown->reply(true);
    request_shutdown();
  }
}

Status PeerMain::status() const {
  Status status;
  status.peer_id = options_.identity.id();
  status.name = options_.name;
  status.instance = options_.instance;
  status.uptime_s = std::chrono::duration<double>(root_->executor().now() - started_).count();
  status.listen.push_back(listen_);
  for (const char* name : {"QuicServer", "Discovery", "Liveness", "LocalMonitor"})
    status.services.push_back(services_.at(name));
  status.tasks = root_->size();
  status.peers = peers_->table().connected();
  status.games = library_->snapshot()->summaries().size();
  status.downloads = downloads_->active();
  return status;
}

std::vector<GameInfo> PeerMain::games() const {
  const auto snapshot = library_->snapshot();
  std::map<std::string, GameInfo> all;
  for (const auto& local : snapshot->games) all[local->id].local = local;
  for (auto& [id, versions] : peers_->table().catalogue()) all[id].remote = std::move(versions);
  for (const DownloadInfo& download : downloads_->list()) {
    GameInfo& game = all[download.game];
    if (game.local == nullptr && downloads_->downloading(download.game)) {
      library::LocalGame partial;
      partial.id = download.game;
      partial.state = library::GameState::downloading;
      partial.size = download.bytes_total;
      game.local = std::make_shared<const library::LocalGame>(std::move(partial));
    }
  }
  std::vector<GameInfo> list;
  for (auto& [id, game] : all) {
    if (game.local == nullptr && game.remote.empty()) continue;
    game.id = id;
    list.push_back(std::move(game));
  }
  return list;
}

// A task of a command: it answers, whatever happens.
rt::Task<void> PeerMain::connect_peer(Request<ConnectPeer> request, rt::CancellationToken token) {
  Result<PeerInfo> answer = fail(ErrorCode::cancelled, "the daemon is stopping");
  try {
    answer = co_await peers_->connect(request.command.address, token);
  } catch (const rt::Cancelled&) {
    if (!token.requested()) throw;
  }
  request.reply(std::move(answer));
}

rt::Task<void> PeerMain::rescan(Request<Rescan> request, rt::CancellationToken token) {
  Result<bool> answer = fail(ErrorCode::cancelled, "the daemon is stopping");
  try {
    const Result<void> done = co_await library_->rescan(request.command.game, token);
    answer = acknowledged(done);
  } catch (const rt::Cancelled&) {
    if (!token.requested()) throw;
  }
  request.reply(std::move(answer));
}

rt::Task<void> PeerMain::list_tasks(Request<ListTasks> request, rt::CancellationToken token) {
  Result<std::vector<TaskInfo>> answer = fail(ErrorCode::cancelled, "the daemon is stopping");
  const auto collect = [](std::vector<TaskInfo>& all) {
    return [&all](const std::string& task, const std::string& scope) { all.push_back({task, scope}); };
  };
  auto on_net = [net = environment_.net, collect](rt::CancellationToken) {
    return [](rt::Scope& scope, decltype(collect) into) -> rt::Task<std::vector<TaskInfo>> {
      std::vector<TaskInfo> all;
      scope.visit(into(all));
      co_return all;
    }(*net, collect);
  };
  try {
    std::vector<TaskInfo> all;
    // In simulation both loops are one, and so are the scopes' names; the net loop's are told apart by their root.
    if (environment_.net != environment_.control)
      all = co_await rt::call_on(*environment_.net, "list tasks", std::move(on_net), token);
    root_->visit(collect(all));
    answer = std::move(all);
  } catch (const rt::Cancelled&) {
    if (!token.requested()) throw;
  }
  request.reply(std::move(answer));
}

rt::Task<void> PeerMain::show_game(Request<ShowGame> request, rt::CancellationToken token) {
  Result<GameDetails> answer = fail(ErrorCode::cancelled, "the daemon is stopping");
  try {
    answer = co_await find_game(request.command, token);
  } catch (const rt::Cancelled&) {
    if (!token.requested()) throw;
  }
  request.reply(std::move(answer));
}

/// The version asked for, else the one here, else the default choice; a remote one's files come from a peer that has
/// it.
rt::Task<Result<GameDetails>> PeerMain::find_game(ShowGame command, rt::CancellationToken token) {
  GameDetails details;
  bool found = false;
  for (GameInfo& game : games()) {
    if (game.id == command.game) {
      details.game = std::move(game);
      found = true;
    }
  }
  if (!found) {
    co_return fail(ErrorCode::no_such_game, "no game " + protocol::printable(command.game) +
                                                " here or on any connected peer: 'peerctl games' lists what there is");
  }
  const auto matches = [&](const Digest& version) {
    return !command.version || version.hex().starts_with(*command.version);
  };
  std::shared_ptr<const protocol::ManifestDocument> document;
  const library::OfferedGame* offered = details.game.local ? details.game.local->offered.get() : nullptr;
  if (offered != nullptr && matches(offered->version)) {
    details.version = offered->version;
    document = offered->document;
  } else {
    std::vector<RemoteVersion> remote;
    std::ranges::copy_if(details.game.remote, std::back_inserter(remote),
                         [&](const RemoteVersion& each) { return matches(each.version); });
    const RemoteVersion* chosen = choose_version(remote, environment_.wall_clock());
    if (chosen == nullptr) {
      if (!command.version && details.game.local) co_return details;  // found here, not hashed yet: no files to tell
      co_return fail(ErrorCode::no_peer_has_it,
                     "nobody has version " + command.version.value_or("") + " of " + command.game);
    }
    details.version = chosen->version;
    Error last{ErrorCode::no_peer_has_it, "no peer has " + command.game, 0};
    for (const transfer::SourcePeer& source : peers_->table().sources(command.game, chosen->version)) {
      transfer::ManifestJob job;
      job.transport = transport_;
      job.workers = environment_.workers;
      job.peer = source;
      job.game = command.game;
      job.version = chosen->version;
      auto start = [job](rt::CancellationToken t) { return transfer::fetch_manifest(job, t); };
      auto got = co_await rt::call_on(*environment_.net, "manifest of " + command.game, std::move(start), token);
      if (got) {
        document = *got;
        break;
      }
      last = got.error();
    }
    if (!document) co_return std::unexpected(last);
  }
  const auto& files = document->manifest.files;
  details.files_total = files.size();
  const std::uint64_t limit = std::min(command.limit, kMaxShownFiles);
  for (std::uint64_t i = command.offset; i < files.size() && i - command.offset < limit; ++i) {
    details.files.push_back({files[i].path, files[i].size, files[i].executable});
  }
  co_return details;
}

}  // namespace peer::node
