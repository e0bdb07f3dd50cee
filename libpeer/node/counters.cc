#include "libpeer/node/counters.h"

namespace peer::node {

void Counters::count(const Event& event) {
  if (const auto* peer = std::get_if<PeerEvent>(&event)) {
    banned += peer->kind == PeerEvent::Kind::banned ? 1 : 0;
    lost += peer->kind == PeerEvent::Kind::lost ? 1 : 0;
  }
  const auto* download = std::get_if<DownloadEvent>(&event);
  if (download == nullptr) return;
  if (download->kind == DownloadEvent::Kind::begin || download->kind == DownloadEvent::Kind::progress) return;
  ++downloads[std::string(to_string(download->download.state))];
  for (const DownloadSource& source : download->download.sources) received[source.id] += source.bytes;
}

}  // namespace peer::node
