// The commands of a running peer: what each answers.
#include <algorithm>
#include <type_traits>
#include <utility>

#include "libpeer/api/test_hooks.h"
#include "libpeer/base/fault.h"
#include "libpeer/node/runtime_state.h"
#include "libpeer/protocol/path.h"

namespace peer::node {

namespace {
constexpr std::uint64_t kMaxShownFiles = 10'000;
constexpr const char* kListTasks = "list tasks";
/// A command about games waits so long for the first listing of the library.
constexpr runtime::Duration kListingWait = std::chrono::seconds(5);

template <class C, class... Some>
inline constexpr bool kIsOneOf = (std::is_same_v<C, Some> || ...);
template <class C>
inline constexpr bool kAboutGames =
    kIsOneOf<C, api::ListGames, api::ShowGame, api::StartDownload, api::ListDownloads, api::PauseDownload,
             api::ResumeDownload, api::CancelDownload, api::MoveDownload, api::RemoveGame, api::VerifyGame>;

/// Whoever asked is told, also when nobody can answer any more.
void refuse(api::Command& command) {
  std::visit([](auto& request) { request.reply(fail(ErrorCode::cancelled, "the daemon is stopping")); }, command);
}
}  // namespace

runtime::Task<void> PeerMain::run_commands(runtime::Scope& work, runtime::CancellationToken token) {
  std::exception_ptr failure;
  try {
    for (;;) {
      token.throw_if_requested();
      PEER_FAULT_POINT("commands");
      std::optional<api::Command> command = co_await commands_.receive(token);
      if (!command) break;  // nobody is left who could send one
      dispatch(std::move(*command), work);
    }
  } catch (...) {
    failure = std::current_exception();
  }
  refuse_commands();
  if (token.requested()) co_return;
  fail_runtime("commands", failure ? runtime::describe(failure) : "the command channel closed without a shutdown");
}

/// From here on; those who have asked already are told.
void PeerMain::refuse_commands() {
  commands_.close();
  while (std::optional<api::Command> late = commands_.try_receive()) refuse(*late);
}

void PeerMain::dispatch(api::Command command, runtime::Scope& work) {
  const bool about_games = std::visit([]<class C>(const api::Request<C>&) { return kAboutGames<C>; }, command);
  if (about_games && !games_known_.is_set()) {
    work.spawn("wait for the library", dispatch_later(std::move(command), work));
    return;
  }
  take_on(std::move(command), work);
}

/// At the start nobody knows yet what is here: an answer would be that there is nothing.
runtime::Task<void> PeerMain::dispatch_later(api::Command command, runtime::Scope& work) {
  bool stopping = false;
  try {
    const bool in_time = co_await games_known_.wait_for(root_->executor(), kListingWait, work.token());
    if (!in_time) games_known_.set();  // a disk that does not answer holds nobody up again
  } catch (const runtime::Cancelled&) {
    stopping = true;
  }
  if (stopping) {
    refuse(command);
  } else {
    take_on(std::move(command), work);
  }
}

void PeerMain::take_on(api::Command command, runtime::Scope& work) {
  std::visit([&](auto& request) { take(std::move(request), work); }, command);
}

/// What a command's work throws is that command's failure.
template <class C, class F>
void PeerMain::answer_now(api::Request<C>& request, F work) {
  Result<typename C::Reply> answer = fail(ErrorCode::internal, "the command failed");
  try {
    PEER_FAULT_POINT("command");
    answer = work();
  } catch (const std::exception& e) {
    answer = fail(ErrorCode::internal, std::string("the command failed: ") + e.what());
  }
  request.reply(std::move(answer));
}

template <class C>
runtime::Task<void> PeerMain::answer(api::Request<C> request, Handler<C> handler, runtime::CancellationToken token) {
  Result<typename C::Reply> answer = fail(ErrorCode::cancelled, "the daemon is stopping");
  try {
    PEER_FAULT_POINT("command");
    Task<C> work = (this->*handler)(std::move(request.command), token);
    answer = co_await work;
  } catch (const runtime::Cancelled&) {
    if (!token.requested()) answer = fail(ErrorCode::internal, "the command was cancelled");
  } catch (const std::exception& e) {
    answer = fail(ErrorCode::internal, std::string("the command failed: ") + e.what());
  }
  request.reply(std::move(answer));
}

template <class C>
void PeerMain::begin(runtime::Scope& work, std::string name, api::Request<C>& request, Handler<C> handler) {
  work.spawn(std::move(name), answer(std::move(request), handler, work.token()));
}

void PeerMain::take(api::Request<api::GetStatus> request, runtime::Scope&) {
  answer_now(request, [this] { return status(); });
}
void PeerMain::take(api::Request<api::ListGames> request, runtime::Scope&) {
  answer_now(request, [this] {
    api::GameList list{games(), library_->snapshot()->missing_roots};
    return list;
  });
}
void PeerMain::take(api::Request<api::ListPeers> request, runtime::Scope&) {
  answer_now(request, [this] { return peers_->list(); });
}
void PeerMain::take(api::Request<api::DisconnectPeer> request, runtime::Scope&) {
  answer_now(request, [&] { return peers_->disconnect(request.command.peer); });
}
void PeerMain::take(api::Request<api::StartDownload> request, runtime::Scope& work) {
  if (request.command.dry_run) {
    begin(work, "plan " + request.command.game, request, &PeerMain::plan_download);
    return;
  }
  begin(work, "begin " + request.command.game, request, &PeerMain::start_download);
}
void PeerMain::take(api::Request<api::ListDownloads> request, runtime::Scope&) {
  answer_now(request, [this] { return downloads_->list(); });
}
void PeerMain::take(api::Request<api::PauseDownload> request, runtime::Scope& work) {
  begin(work, "pause " + request.command.game, request, &PeerMain::pause_download);
}
void PeerMain::take(api::Request<api::ResumeDownload> request, runtime::Scope& work) {
  begin(work, "resume " + request.command.game, request, &PeerMain::resume_download);
}
void PeerMain::take(api::Request<api::CancelDownload> request, runtime::Scope& work) {
  begin(work, "cancel " + request.command.game, request, &PeerMain::cancel_download);
}
void PeerMain::take(api::Request<api::MoveDownload> request, runtime::Scope& work) {
  begin(work, "move " + request.command.game, request, &PeerMain::move_download);
}
void PeerMain::take(api::Request<api::GetLimits> request, runtime::Scope&) {
  answer_now(request, [this] { return limits_; });
}
void PeerMain::take(api::Request<api::SetLimits> request, runtime::Scope& work) {
  begin(work, "limits", request, &PeerMain::set_limits);
}
void PeerMain::take(api::Request<api::Reconfigure> request, runtime::Scope& work) {
  begin(work, "configuration", request, &PeerMain::reconfigure);
}
void PeerMain::take(api::Request<api::BanPeer> request, runtime::Scope& work) {
  begin(work, "ban", request, &PeerMain::ban_peer);
}
void PeerMain::take(api::Request<api::UnbanPeer> request, runtime::Scope& work) {
  begin(work, "unban", request, &PeerMain::unban_peer);
}
void PeerMain::take(api::Request<api::PairPeer> request, runtime::Scope& work) {
  begin(work, "pair", request, &PeerMain::pair_peer);
}
void PeerMain::take(api::Request<api::UnpairPeer> request, runtime::Scope& work) {
  begin(work, "unpair", request, &PeerMain::unpair_peer);
}
void PeerMain::take(api::Request<api::VerifyGame> request, runtime::Scope& work) {
  begin(work, "verify " + request.command.game, request, &PeerMain::verify_game);
}
void PeerMain::take(api::Request<api::RemoveGame> request, runtime::Scope& work) {
  begin(work, "remove " + request.command.game, request, &PeerMain::remove_game);
}
void PeerMain::take(api::Request<api::ShowGame> request, runtime::Scope& work) {
  begin(work, "show " + request.command.game, request, &PeerMain::find_game);
}
void PeerMain::take(api::Request<api::ConnectPeer> request, runtime::Scope& work) {
  begin(work, "connect " + request.command.address, request, &PeerMain::connect_peer);
}
void PeerMain::take(api::Request<api::Rescan> request, runtime::Scope& work) {
  begin(work, "rescan", request, &PeerMain::rescan);
}
void PeerMain::take(api::Request<api::Diagnose> request, runtime::Scope& work) {
  begin(work, "doctor", request, &PeerMain::diagnose);
}
void PeerMain::take(api::Request<api::GetMetrics> request, runtime::Scope& work) {
  begin(work, "metrics", request, &PeerMain::measure);
}
void PeerMain::take(api::Request<api::ListTasks> request, runtime::Scope& work) {
  begin(work, kListTasks, request, &PeerMain::list_tasks);
}
void PeerMain::take(api::Request<api::Shutdown> request, runtime::Scope&) {
  request.reply(true);
  request_shutdown();
}
void PeerMain::take(api::Request<api::FailService> request, runtime::Scope&) {
  answer_now(request, [&]() -> Result<bool> {
    if (environment_.test_hooks == nullptr) return fail(ErrorCode::invalid, "this peer has no test hooks");
    return environment_.test_hooks->fail_service(request.command);
  });
}

std::string PeerMain::missing_address() const {
  return "no interface of this machine has the address " + listen_ + " now: peers can connect when one gets it";
}

api::Status PeerMain::status() const {
  api::Status status;
  status.peer_id = options_.identity.id();
  status.name = options_.settings.name;
  status.access = options_.settings.access.mode;
  status.instance = options_.instance;
  status.uptime_s = std::chrono::duration<double>(root_->executor().now() - started_).count();
  for (const char* name : {"QuicServer", "Discovery", "Liveness", "LocalMonitor"})
    status.services.push_back(services_.at(name));
  if (is_listening()) {
    status.listen.push_back(listen_);
  } else {
    status.services.front().problem = missing_address();
  }
  status.peers = peers_->table().connected();
  status.games = library_->snapshot()->summaries().size();
  status.downloads = downloads_->active();
  status.missing_roots = library_->snapshot()->missing_roots;
  // Not asked on the network's loop, which may be in the middle of a long burst.
  status.tasks = environment_.net->size_of_tree();
  if (environment_.net != environment_.control) status.tasks += root_->size();
  return status;
}

std::vector<api::GameInfo> PeerMain::games() const {
  const auto snapshot = library_->snapshot();
  std::map<std::string, api::GameInfo> all;
  for (const auto& local : snapshot->games) all[local->id].local = with_damage(local);
  for (auto& [id, versions] : peers_->table().catalogue()) all[id].remote = std::move(versions);
  for (const api::DownloadInfo& download : downloads_->list()) {
    api::GameInfo& game = all[download.game];
    const bool known = download.version != Digest{} && download.bytes_total != 0;
    if (game.local == nullptr && known && downloads_->downloading(download.game)) {
      library::LocalGame partial;
      partial.id = download.game;
      partial.root = options_.settings.roots.front();
      partial.state = library::GameState::downloading;
      partial.size = download.bytes_total;
      const auto offered = std::ranges::find(game.remote, download.version, &api::RemoteVersion::version);
      if (offered != game.remote.end()) partial.files = offered->files;
      game.local = std::make_shared<const library::LocalGame>(std::move(partial));
    }
  }
  std::vector<api::GameInfo> list;
  for (auto& [id, game] : all) {
    if (game.local == nullptr && game.remote.empty()) continue;
    game.id = id;
    if (const auto verifying = verifying_.find(id); verifying != verifying_.end() && !verifying->second.repairing) {
      game.verifying = verifying->second;
    }
    list.push_back(std::move(game));
  }
  return list;
}

runtime::Task<Result<api::PeerInfo>> PeerMain::connect_peer(api::ConnectPeer command,
                                                            runtime::CancellationToken token) {
  return peers_->connect(std::move(command.address), std::move(token));
}

runtime::Task<Result<std::vector<library::Problem>>> PeerMain::rescan(api::Rescan command,
                                                                      runtime::CancellationToken token) {
  if (command.publish && !command.game) co_return fail(ErrorCode::invalid, "publish: name the game");
  const std::string name = command.game.value_or("");
  auto work = command.publish ? library_->publish(name, token) : library_->rescan(std::move(command.game), token);
  const Result<void> done = co_await work;
  if (done && command.publish) log_.game(name).info(protocol::printable(name) + " is offered as it is now");
  if (!done) co_return std::unexpected(done.error());
  co_return library_->snapshot()->missing_roots;
}

/// Of both loops, without those that gather them. In simulation they are one: then everything stands below the one
/// root.
runtime::Task<Result<std::vector<api::TaskInfo>>> PeerMain::list_tasks(api::ListTasks,
                                                                       runtime::CancellationToken token) {
  auto on_net = [net = environment_.net](runtime::CancellationToken) { return tasks_below(*net); };
  auto all = co_await runtime::call_on(*environment_.net, kListTasks, std::move(on_net), token);
  if (environment_.net != environment_.control) {
    root_->visit([&](const std::string& task, const std::string& scope) { all.push_back({task, scope}); });
  }
  std::erase_if(all, [](const api::TaskInfo& task) { return task.name == kListTasks; });
  co_return all;
}

runtime::Task<std::vector<api::TaskInfo>> PeerMain::tasks_below(const runtime::Scope& scope) {
  std::vector<api::TaskInfo> all;
  scope.visit([&](const std::string& task, const std::string& parent) { all.push_back({task, parent}); });
  co_return all;
}

/// The version asked for, else the one here, else the default choice; a remote one's files come from a peer that has
/// it.
runtime::Task<Result<api::GameDetails>> PeerMain::find_game(api::ShowGame command, runtime::CancellationToken token) {
  api::GameDetails details;
  bool found = false;
  for (api::GameInfo& game : games()) {
    if (game.id == command.game) {
      details.game = std::move(game);
      found = true;
    }
  }
  if (!found) {
    co_return fail(ErrorCode::not_found, "no game " + protocol::printable(command.game) +
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
    std::vector<api::RemoteVersion> remote;
    std::ranges::copy_if(details.game.remote, std::back_inserter(remote),
                         [&](const api::RemoteVersion& each) { return matches(each.version); });
    const api::RemoteVersion* chosen = downloads::choose_version(remote, environment_.wall_clock());
    if (chosen == nullptr) {
      if (!command.version && details.game.local) co_return details;  // found here, not hashed yet: no files to tell
      co_return fail(ErrorCode::unavailable,
                     "nobody has version " + command.version.value_or("") + " of " + command.game);
    }
    details.version = chosen->version;
    Error last{ErrorCode::unavailable, "no peer has " + command.game, 0};
    for (const transfer::SourcePeer& source : peers_->table().sources(command.game, chosen->version)) {
      transfer::ManifestJob job;
      job.transport = transport_;
      job.workers = environment_.workers;
      job.peer = source;
      job.game = command.game;
      job.version = chosen->version;
      auto start = [job](runtime::CancellationToken t) { return transfer::fetch_manifest(job, t); };
      auto got = co_await runtime::call_on(*environment_.net, "manifest of " + command.game, std::move(start), token);
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
