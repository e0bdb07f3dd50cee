#include <algorithm>
#include <list>
#include <optional>
#include <set>
#include <utility>

#include "libpeer/runtime/call_on.h"
#include "libpeer/runtime/with_scope.h"
#include "libpeer/transfer/fetch_manifest.h"

namespace peer::transfer {

namespace {

constexpr std::size_t kMaxAttempts = 4;

struct ManifestAttempt {
  ManifestAttempt(SourcePeer p, const runtime::CancellationToken& parent) : peer(std::move(p)), stop(parent) {}
  SourcePeer peer;
  runtime::CancellationSource stop;
  std::shared_ptr<std::atomic<std::uint64_t>> received = std::make_shared<std::atomic<std::uint64_t>>(0);
  bool replaced = false;  // by a source that may be faster
};

class ManifestRace {
 public:
  explicit ManifestRace(ManifestSearch search) : search_(std::move(search)) {
    last_ = Error{ErrorCode::unavailable, "no connected peer has " + search_.game, 0};
  }

  runtime::Task<Result<ManifestPtr>> run(runtime::Scope& scope) {
    while (!found_) {
      while (running_.size() < protocol::kManifestSources && start_next(scope)) continue;
      if (running_.empty()) co_return std::unexpected(last_);
      news_.reset();
      const bool news = co_await news_.wait_for(scope.executor(), protocol::kManifestSilence, scope.token());
      if (!news) add_attempt(scope);
    }
    co_return found_;
  }

 private:
  /// Starts an attempt beside those that have not brought the manifest in time.
  void add_attempt(runtime::Scope& scope) {
    if (!start_next(scope) || running_.size() <= kMaxAttempts) return;
    const auto slowest =
        std::ranges::min_element(running_.begin(), std::prev(running_.end()), {},
                                 [](const ManifestAttempt& attempt) { return attempt.received->load(); });
    slowest->replaced = true;
    slowest->stop.request();
  }

  /// False if every source was asked.
  bool start_next(runtime::Scope& scope) {
    std::vector<SourcePeer> peers = search_.sources();
    std::erase_if(peers, [this](const SourcePeer& peer) { return asked_.contains(peer.id); });
    if (peers.empty()) return false;
    SourcePeer& peer = peers[static_cast<std::size_t>(search_.random->below(peers.size()))];
    asked_.insert(peer.id);
    running_.emplace_back(std::move(peer), scope.token());
    scope.spawn("manifest of " + search_.game, run_attempt(std::prev(running_.end())));
    return true;
  }

  runtime::Task<void> run_attempt(std::list<ManifestAttempt>::iterator attempt) {
    ManifestJob job;
    job.net = search_.net;
    job.transport = search_.transport;
    job.workers = search_.workers;
    job.peer = attempt->peer;
    job.game = search_.game;
    job.version = search_.version;
    job.received = attempt->received;
    const std::string name = "manifest of " + search_.game;
    auto start = [job](runtime::CancellationToken t) { return fetch_manifest(job, std::move(t)); };
    Result<ManifestPtr> got = nullptr;
    try {
      got = co_await runtime::call_on(*search_.net, name, std::move(start), attempt->stop.token());
    } catch (const runtime::Cancelled&) {
      if (!attempt->replaced) throw;
      got = fail(ErrorCode::unreachable, attempt->peer.name + " sent the manifest too slowly");
    }
    if (got) {
      if (!found_) found_ = std::move(*got);
    } else {
      last_ = got.error();
      search_.on_failure(attempt->peer, got.error());
    }
    running_.erase(attempt);
    news_.set();
  }

  ManifestSearch search_;
  std::set<PeerId> asked_;
  std::list<ManifestAttempt> running_;
  ManifestPtr found_;
  Error last_;
  runtime::Event news_;
};

}  // namespace

runtime::Task<Result<ManifestPtr>> find_manifest(runtime::Scope& parent, ManifestSearch search,
                                                 runtime::CancellationToken token) {
  const std::string name = "manifest of " + search.game;
  ManifestRace race(std::move(search));
  const auto run = [&race](runtime::Scope& scope) { return race.run(scope); };
  co_return co_await runtime::with_scope(parent, name, run, token);
}

}  // namespace peer::transfer
