#include "libpeer/node/counters.h"

namespace peer::node {

void Counters::count(const api::Event& event) {
  if (const auto* peer = std::get_if<api::PeerEvent>(&event)) {
    banned += peer->kind == api::PeerEvent::Kind::banned ? 1 : 0;
    lost += peer->kind == api::PeerEvent::Kind::lost ? 1 : 0;
  }
  const auto* download = std::get_if<api::DownloadEvent>(&event);
  if (download == nullptr) return;
  if (download->kind == api::DownloadEvent::Kind::begin || download->kind == api::DownloadEvent::Kind::progress) return;
  ++downloads[std::string(to_string(download->download.state))];
  for (const api::SourceBytes& source : download->download.sources) received[source.id] += source.bytes;
}

}  // namespace peer::node
