// Offers the games of a library and prints events until SIGINT or SIGTERM.
// usage: seeder LIBRARY STATE [ADDRESS:PORT]
#include <libpeer/host/host.h>
#include <pthread.h>

#include <csignal>
#include <cstdio>
#include <string>

namespace {

/// The event's name and, where it has one, its subject.
void print(const peer::api::Event& event) {
  std::string subject;
  if (const auto* peer = std::get_if<peer::api::PeerEvent>(&event)) subject = " " + peer->name;
  if (const auto* library = std::get_if<peer::api::LocalLibraryChanged>(&event)) {
    for (const std::string& game : library->added) subject += " +" + game;
    for (const std::string& game : library->removed) subject += " -" + game;
  }
  std::printf("%s%s\n", std::string(peer::api::event_name(event)).c_str(), subject.c_str());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: seeder LIBRARY STATE [ADDRESS:PORT]\n");
    return 2;
  }
  sigset_t signals;  // blocked before the peer's threads start, so that only sigwait() receives them
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  peer::host::HostOptions options;
  options.roots = {argv[1]};
  options.state = argv[2];
  if (argc > 3) options.listen = argv[3];
  options.on_event = print;
  options.log = peer::Log(
      [](peer::LogLevel level, std::string_view, const std::string& line, const peer::LogFields&) {
        if (level >= peer::LogLevel::warn) std::fprintf(stderr, "seeder: %s\n", line.c_str());
      },
      "seeder");
  auto host = peer::host::Host::start(std::move(options));
  if (!host) {
    std::fprintf(stderr, "seeder: %s\n", host.error().message.c_str());
    return 1;
  }
  std::printf("listening on %s\n", (*host)->address().c_str());
  std::fflush(stdout);

  int signal = 0;
  sigwait(&signals, &signal);
  (*host)->shutdown();
  return (*host)->wait().failed ? 1 : 0;
}
