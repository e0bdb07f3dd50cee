// A whole peer under virtual time survives any sequence of legal messages in a session. One message a line; an empty
// line lets a second pass.
#include <chrono>
#include <string_view>

#include "libpeer/base/check.h"
#include "libpeer/protocol/messages.h"
#include "support/node/raw_peer.h"

namespace {

using namespace std::chrono_literals;
constexpr std::size_t kMostLines = 64;

std::span<const std::uint8_t> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  peer::test::SimWorld world(1);
  peer::test::SimPeer victim(world, "alpha", "10.0.0.1");
  victim.disk.write("/library/Doom/file", "content");
  victim.start({});
  peer::test::RawPeer raw(world, "10.0.0.2", "10.0.0.1:24747");
  PEER_CHECK(raw.open());
  raw.send(raw.hello());
  const auto pass = [&](peer::runtime::Duration time) { world.run_until([] { return false; }, time); };
  pass(20ms);
  for (std::size_t lines = 0; lines < kMostLines && !text.empty() && !raw.over(); ++lines) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end == 0) pass(1s);
    auto message = peer::protocol::decode(as_bytes(text.substr(0, end)));
    if (message && *message) raw.send(std::move(**message));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  pass(100ms);
  PEER_CHECK(!victim.stopped());
  victim.stop();
  PEER_CHECK(victim.tasks() == 0);
  return 0;
}
