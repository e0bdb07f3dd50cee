// Any bytes are rejected as `invalid`, are a message of an unknown type, or decode to a message that encodes stably.
#include "libpeer/base/check.h"
#include "libpeer/protocol/messages.h"

namespace {

std::span<const std::uint8_t> as_bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto decoded = peer::protocol::decode({data, size});
  if (!decoded) {
    PEER_CHECK(decoded.error().code == peer::ErrorCode::invalid && !decoded.error().message.empty());
    return 0;
  }
  if (!*decoded) return 0;
  const std::string text = encode(**decoded);
  const auto again = peer::protocol::decode(as_bytes(text));
  PEER_CHECK(again && *again && encode(**again) == text);
  return 0;
}
