// Downloads one game and exits.
// usage: download GAME LIBRARY STATE [HOST[:PORT]]
//   GAME     the game's id: the name of its folder
//   LIBRARY  where it is put; STATE: where this peer keeps its identity
//   HOST     a peer that has it; without one, peers are found by mDNS
#include <libpeer/host/host.h>

#include <cstdio>
#include <future>
#include <memory>
#include <string>
#include <variant>

namespace {

using peer::api::DownloadEvent;

int fail(const std::string& message) {
  std::fprintf(stderr, "download: %s\n", message.c_str());
  return 1;
}

/// Sets `result` when the download has ended: an empty string for success, or what went wrong.
void watch(const peer::api::Event& event, std::promise<std::string>& result) {
  const auto* download = std::get_if<DownloadEvent>(&event);
  if (download == nullptr) return;
  const peer::api::DownloadInfo& info = download->download;
  switch (download->kind) {
    case DownloadEvent::Kind::begin: break;
    case DownloadEvent::Kind::progress:
      std::printf("%llu of %llu bytes\n", static_cast<unsigned long long>(info.bytes_done),
                  static_cast<unsigned long long>(info.bytes_total));
      break;
    case DownloadEvent::Kind::finished: result.set_value(""); break;
    case DownloadEvent::Kind::failed: result.set_value(info.error ? info.error->message : "failed"); break;
    case DownloadEvent::Kind::cancelled: result.set_value("cancelled"); break;
    case DownloadEvent::Kind::all_peers_gone: result.set_value("all peers that have it are gone"); break;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return fail("usage: download GAME LIBRARY STATE [HOST[:PORT]]");
  auto result = std::make_shared<std::promise<std::string>>();
  std::future<std::string> ended = result->get_future();

  peer::host::HostOptions options;
  options.state = argv[3];
  options.roots = {argv[2]};
  options.listen = "[::]:0";
  if (argc > 4) options.peers = {argv[4]};
  options.mdns = argc <= 4;
  options.on_event = [result](const peer::api::Event& event) { watch(event, *result); };
  auto host = peer::host::Host::start(std::move(options));
  if (!host) return fail(host.error().message);

  peer::api::StartDownload command;
  command.game = argv[1];
  command.wait = std::chrono::seconds(30);  // for a peer that has it
  const auto download = (*host)->call(std::move(command));
  if (!download) return fail(download.error().message);
  if (download->state != peer::api::DownloadState::finished) {  // not here already
    if (const std::string error = ended.get(); !error.empty()) return fail(error);
  }
  std::printf("%s is in %s\n", argv[1], argv[2]);
  return 0;
}
