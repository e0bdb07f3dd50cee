#include "libpeer/node/library_announcer.h"

#include <utility>

namespace peer::node {

// The seeder first, because a peer may request a version as soon as it is announced.
runtime::Task<void> LibraryAnnouncer::run(runtime::CancellationToken token) {
  for (;;) {
    changed_.reset();
    const auto snapshot = library_.snapshot();
    const bool offered = std::exchange(offered_changed_, false);  // another snapshot may arrive while this waits
    co_await tell_seeder(snapshot, offered);  // even without a new offer: other files may contain the same versions
    if (offered) {
      peers_.set_library(snapshot->summaries());
      discovery::Discovery* const discovery = options_.environment.discovery;
      const bool open = options_.settings.access.mode == access::AccessMode::open;
      if (open && discovery != nullptr) discovery->set_revision(peers_.revision());
    }
    api::LocalLibraryChanged news = news_.update(*snapshot);
    const bool other_offer = std::exchange(announced_digest_, snapshot->digest) != snapshot->digest;
    if (other_offer || !news.added.empty() || !news.removed.empty()) events_.emit(std::move(news));
    co_await changed_.wait(token);
  }
}

runtime::Task<void> LibraryAnnouncer::tell_seeder(std::shared_ptr<const library::Snapshot> snapshot, bool offered) {
  protocol::Hello self;
  self.id = options_.identity.id();
  self.name = options_.settings.name;
  self.instance = options_.instance;
  self.addresses = listener_.advertised();
  // The one that set_library() is about to announce.
  self.revision = offered ? peers_.revision_of(snapshot->summaries()) : peers_.revision();
  self.digest = snapshot->digest;
  std::string document = protocol::peer_document(self);
  return net_.set_offer(std::move(snapshot), self.revision, std::move(document));
}

}  // namespace peer::node
